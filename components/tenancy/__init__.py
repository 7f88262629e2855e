"""Tenancy: a team's namespace with its quota, network, rights and secrets; and the operator that brings secrets in."""

from components.tenancy.external_secrets import ExternalSecrets, ExternalSecretsArgs
from components.tenancy.tenancy import Tenancy, TenancyArgs

__all__ = ["ExternalSecrets", "ExternalSecretsArgs", "Tenancy", "TenancyArgs"]
