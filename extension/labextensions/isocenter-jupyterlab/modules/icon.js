// The icon: an isocenter, where the axes of gantry, collimator and couch meet.

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">
  <g fill="none" stroke-width="2" stroke-linecap="round">
    <circle class="jp-icon3" stroke="#616161" cx="12" cy="12" r="7"/>
    <path class="jp-icon3" stroke="#616161" d="M12 1.5v5.5M12 17v5.5M1.5 12H7M17 12h5.5"/>
  </g>
  <circle class="jp-icon3" fill="#616161" cx="12" cy="12" r="2"/>
</svg>`;

/** The icon in the colours of the theme; registered by its name, by which the settings know it. */
export function icon_of({ LabIcon }) {
  return new LabIcon({ name: "isocenter:icon", svgstr: SVG });
}
