"""Who may do what: IAM documents built from plain names, and roles that pods take through EKS Pod Identity."""

from components.identity.pod_identity_role import PodIdentityRole, PodIdentityRoleArgs

__all__ = ["PodIdentityRole", "PodIdentityRoleArgs"]
