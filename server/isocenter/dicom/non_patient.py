"""Objects that belong to no patient (PS3.4 Annex GG, PS3.18 12.1.1): their SOP classes by resource.

They have no study and no series. Not here: how they are stored.
"""

from __future__ import annotations

RESOURCES: dict[str, tuple[str, ...]] = {
    "color-palettes": ("1.2.840.10008.5.1.4.39.1",),
    "defined-procedure-protocols": (
        "1.2.840.10008.5.1.4.1.1.200.1",
        "1.2.840.10008.5.1.4.1.1.200.7",
    ),
    "hanging-protocols": ("1.2.840.10008.5.1.4.38.1",),
    "implant-templates": (
        "1.2.840.10008.5.1.4.43.1",
        "1.2.840.10008.5.1.4.44.1",
        "1.2.840.10008.5.1.4.45.1",
    ),
    "inventories": ("1.2.840.10008.5.1.4.1.1.201.1",),
    "protocol-approvals": ("1.2.840.10008.5.1.4.1.1.200.3",),
}
"""SOP Class UIDs by the name of the resource; the last two are not of Table 12.1.1-1 and named alike."""

_RESULTS = """
SpecificCharacterSet SOPClassUID SOPInstanceUID InstanceNumber InstanceCreationDate InstanceCreationTime
ContentLabel ContentDescription ContentCreatorName Manufacturer ManufacturerModelName
HangingProtocolName HangingProtocolDescription HangingProtocolLevel HangingProtocolCreator
HangingProtocolCreationDateTime HangingProtocolDefinitionSequence NumberOfPriorsReferenced
ImplantName ImplantSize ImplantPartNumber ImplantTemplateVersion EffectiveDateTime
ImplantAssemblyTemplateName ImplantAssemblyTemplateIssuer ImplantTemplateGroupName
ImplantTemplateGroupIssuer ProtocolName CustodialOrganizationSequence
PotentialScheduledProtocolCodeSequence PotentialReasonsForProcedure InventoryPurpose
"""
RESULTS: tuple[str, ...] = tuple(_RESULTS.split())
"""Keywords that results of a search hold where the object has them; others are included when asked for."""
