// Reading the DICOM JSON Model (PS3.18 Annex F): values by tag, sequences, functional groups (PS3.3 C.7.6.16).
// Not here: what the values mean.

export const TAG = {
  SOPClassUID: "00080016", SOPInstanceUID: "00080018", Modality: "00080060", SeriesDescription: "0008103E",
  StudyDescription: "00081030", ReferencedSeriesSequence: "00081115", ReferencedImageSequence: "00081140",
  ReferencedSOPInstanceUID: "00081155", DerivationImageSequence: "00089124", SourceImageSequence: "00082112",
  PatientName: "00100010", PatientID: "00100020", PatientBirthDate: "00100030", PatientWeight: "00101030",
  StudyDate: "00080020", SeriesTime: "00080031", SeriesDate: "00080021", AcquisitionTime: "00080032",
  ScanOptions: "00180022", ManufacturerModelName: "00081090", SliceThickness: "00180050",
  FrameTime: "00181063", FrameTimeVector: "00181065", CineRate: "00180040", RecommendedDisplayFrameRate: "00082144",
  ImagerPixelSpacing: "00181164", StudyInstanceUID: "0020000D", SeriesInstanceUID: "0020000E",
  SeriesNumber: "00200011", InstanceNumber: "00200013", PatientOrientation: "00200020",
  ImagePositionPatient: "00200032", ImageOrientationPatient: "00200037", FrameOfReferenceUID: "00200052",
  SamplesPerPixel: "00280002", PhotometricInterpretation: "00280004", PlanarConfiguration: "00280006",
  NumberOfFrames: "00280008", Rows: "00280010", Columns: "00280011", PixelSpacing: "00280030",
  PixelAspectRatio: "00280034", BitsAllocated: "00280100", BitsStored: "00280101", HighBit: "00280102",
  PixelRepresentation: "00280103", PixelPaddingValue: "00280120", PixelPaddingRangeLimit: "00280121",
  WindowCenter: "00281050", WindowWidth: "00281051", RescaleIntercept: "00281052", RescaleSlope: "00281053",
  RescaleType: "00281054", WindowExplanation: "00281055", VOILUTFunction: "00281056",
  ModalityLUTSequence: "00283000", LUTDescriptor: "00283002", LUTExplanation: "00283003", LUTData: "00283006",
  VOILUTSequence: "00283010", PresentationLUTShape: "20500020",
  SharedFunctionalGroups: "52009229", PerFrameFunctionalGroups: "52009230",
  PixelMeasures: "00289110", PlanePosition: "00209113", PlaneOrientation: "00209116", FrameVOILUT: "00289132",
  PixelValueTransformation: "00289145", FrameContent: "00209111",
  SequenceOfUltrasoundRegions: "00186011", PixelData: "7FE00010", FloatPixelData: "7FE00008",
  DoublePixelData: "7FE00009",
};

// All values of an element; empty when it is absent or has none.
export function values_of(dataset, tag) {
  return dataset?.[tag]?.Value ?? [];
}

// The first value, or `otherwise`.
export function value_of(dataset, tag, otherwise = null) {
  const value = values_of(dataset, tag)[0];
  return value === undefined || value === null ? otherwise : value;
}

// The first value as a number (DS and IS may be strings), or `otherwise`.
export function number_of(dataset, tag, otherwise = null) {
  const value = value_of(dataset, tag);
  const number = value === null || value === "" ? NaN : Number(value);
  return Number.isFinite(number) ? number : otherwise;
}

// All values as numbers; null unless there are at least `least` and all are finite.
export function numbers_of(dataset, tag, least = 1) {
  const numbers = values_of(dataset, tag).map(Number);
  return numbers.length >= least && numbers.every(Number.isFinite) ? numbers : null;
}

export function text_of(dataset, tag, otherwise = "") {
  const value = value_of(dataset, tag);
  if (value === null) return otherwise;
  if (typeof value === "object") return value.Alphabetic ?? value.Ideographic ?? value.Phonetic ?? otherwise;
  return String(value).trim();
}

// Items of a sequence.
export function items_of(dataset, tag) {
  return values_of(dataset, tag).filter((item) => item && typeof item === "object");
}

// The item of a functional group macro for one frame (from 0): per-frame before shared; null when there is none.
export function group_of(dataset, frame, macro) {
  const own = items_of(dataset, TAG.PerFrameFunctionalGroups)[frame];
  const shared = items_of(dataset, TAG.SharedFunctionalGroups)[0];
  return items_of(own, macro)[0] ?? items_of(shared, macro)[0] ?? null;
}

// Bytes of InlineBinary; null when the value is elsewhere (BulkDataURI) or absent.
export function inline_bytes(element) {
  if (!element?.InlineBinary) return null;
  const text = atob(element.InlineBinary);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

// Path and query of a BulkDataURI, below the server's root: what `connection.get` takes.
export function bulk_path(uri) {
  const found = /(\/(?:datasets\/[^/]+\/)?dicom-web\/.*)$/.exec(uri);
  return found ? found[1] : uri;
}
