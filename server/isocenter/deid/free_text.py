"""Text attributes outside Table E.1-1 that may be kept: of methods, materials, models, versions and codes.

Everything else of these VRs (LO, LT, SH, ST, UC, UR, UT) becomes a dummy, since nothing but habit keeps
people from writing names into it. What is kept is still searched for identifiers of the patient.
"""

from __future__ import annotations

from functools import cache

from pydicom.datadict import keyword_for_tag

TECHNICAL = frozenset(
    """
    AcquisitionDeviceProcessingCode AcquisitionMode AcquisitionProtocolName AlgorithmName
    AlgorithmParameters AlgorithmSource AlgorithmVersion ApplicableSafetyStandardDescription
    ApplicationManufacturer ApplicationName ApplicationSetupManufacturer ApplicationVersion
    ASLBolusCutoffTechnique ASLCrusherDescription ASLTechniqueDescription AttenuationCorrectionMethod
    AttributeOccurrencePrivateCreator BeamHardeningCorrectionTechnique CalibrationProcedure
    CardiacFramingType CodeMeaning CodeValue CodingSchemeDesignator CodingSchemeExternalID
    CodingSchemeName CodingSchemeRegistry CodingSchemeResponsibleOrganization CodingSchemeURL
    CodingSchemeVersion CollimatorGridName CompressionDescription CompressionRecognitionCode
    ContrastBolusRoute ConvolutionKernel CSSFontName DataSetSubtype DCTLabel DeidentificationMethod
    DetectorLinesOfResponseUsed DetectorManufacturerModelName DetectorManufacturerName DetectorMode
    DigitalImageFormatAcquired DimensionDescriptionLabel DimensionIndexPrivateCreator DisplaySetLabel
    DisplayWindowLabelVector DoseModeName EffectiveDoseCalculationMethodDescription EnergyWindowName
    EXIFVersion ExposureControlModeDescription ExtendedCodeMeaning ExtendedCodeValue
    FieldOfViewDescription FilterMaterialUsedInGainCalibration FilterType FontName FrameLabel
    FrameLabelVector FunctionalGroupPrivateCreator GridAbsorbingMaterial GridSpacingMaterial
    HardcopyDeviceManufacturer HardcopyDeviceManufacturerModelName HardcopyDeviceSoftwareVersion
    HistogramExplanation ImageDisplayFormat ImagedNucleus ImageFilter ImageFilterDescription
    ImageGeometryType ImplantName ImplantPartNumber ImplantSize InterventionDrugName IOLManufacturer
    LensDescription LinearityCorrectionTechnique ListOfMIMETypes LongCodeValue LUTExplanation LUTLabel
    Manufacturer ManufacturerModelName ManufacturerModelVersion ManufacturerRelatedModelGroup
    MappingResourceName MaterialGrade MIMETypeOfEncapsulatedDocument ModalityLUTType
    ModifyingDeviceManufacturer MultiCoilConfiguration MultiCoilElementName
    OphthalmicAxialLengthDataSourceDescription OphthalmicAxialLengthQualityMetricTypeDescription
    OphthalmicImageTypeDescription OpticalPathDescription OpticalPathIdentifier PaddleDescription
    PhosphorType PixelSpacingCalibrationDescription PixelValueMappingExplanation PlateType
    PositionReferenceIndicator PostprocessingFunction PrivateCreatorReference ProcedureVersion
    ProcessingFunction PropertyLabel ProtocolElementName PulseSequenceName PVCRejection
    RadiationMachineName Radionuclide Radiopharmaceutical RadiopharmaceuticalRoute
    RangeModulatorDescription RangeShifterDescription ReceiveCoilManufacturerName ReceiveCoilName
    RecognitionCode ReconstructionDescription ReconstructionMethod ReferencedOpticalPathIdentifier
    ReferenceLocationLabel RescaleType RGBATransferFunctionDescription RouteOfAdmissions RTImageLabel
    ScanProcedure ScatterCorrectionMethod SecondaryCaptureDeviceManufacturer
    SecondaryCaptureDeviceManufacturerModelName SecondaryCaptureDeviceSoftwareVersions
    SegmentAlgorithmName SegmentationCreationTemplateLabel SegmentDescription SegmentLabel
    SelectorAttributeKeyword SelectorAttributeName SelectorAttributePrivateCreator
    SelectorSequencePointerPrivateCreator SequenceName SequenceOfCompressedData SoftwareVersions
    SourceApplicatorManufacturer SourceIsotopeName SpectralSensitivity StackID StageName
    StrainNomenclature SurfaceModelLabel SurfaceProcessingDescription SurgicalTechnique
    TargetPositionReferenceIndicator TemplateType ToleranceTableLabel TrackingID TrackSetDescription
    TrackSetLabel TransducerData TransformDescription TransformLabel TransformVersionNumber
    TransmitCoilManufacturerName TransmitCoilName TreatmentProtocols TriggerSourceOrType TypeOfFilters
    URNCodeValue VideoImageFormatAcquired ViewName WedgeDescription WedgeManufacturerName WedgeMaterial
    WedgeModelNumber WedgeName WindowCenterWidthExplanation
    """.split()  # noqa: SIM905 (a list of strings would be four times as long)
)
"""Keywords of text attributes that describe equipment, methods and codes."""


@cache
def is_technical(tag: int) -> bool:
    """Whether the text attribute may be kept."""
    return keyword_for_tag(tag) in TECHNICAL
