"""Pure judgements on settings and plan. Policies, report and settings checks call the same functions."""
