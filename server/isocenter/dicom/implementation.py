"""How this software names itself on the network and in files (PS3.7 D.3.3.2, PS3.10 7.1).

Not here: versions of the distributions.
"""

from __future__ import annotations

IMPLEMENTATION_CLASS_UID = "2.25.302410113209427530461935118530812413927"
IMPLEMENTATION_VERSION_NAME = "ISOCENTER_1"
