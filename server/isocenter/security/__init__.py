"""Who may ask what: identities, roles and bearer tokens (row 2)."""

from isocenter.security.acl import Action, Role
from isocenter.security.identity import LOCAL, Identity
from isocenter.security.jupyterhub import HubUsers
from isocenter.security.tokens import Token, Tokens, digest_of, new_secret

__all__ = ["LOCAL", "Action", "HubUsers", "Identity", "Role", "Token", "Tokens", "digest_of", "new_secret"]
