"""What is wanted and what is known: settings, catalogue, plan and pure judgements.

Plain Python. Nothing in this package imports pulumi, so that the simulator, the policies and the planner can use it
without the SDK and a reader can test it without an engine.
"""
