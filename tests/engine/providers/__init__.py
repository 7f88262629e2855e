"""Stand-ins for the resource providers of AWS, EKS, Kubernetes and commands.

Each is a program that speaks the engine's own protocol. What they check, refuse and remember is what the real ones do
as far as this project depends on it; everything they know of the outside is in one folder, the world of the test.
"""
