// The widget of a series: one viewer an output. See static/series_viewer.

import { Viewer } from "./static/series_viewer/viewer.js";

export default {
  render({ model, el }) {
    const viewer = new Viewer(model, el);
    viewer.open();
    return () => viewer.close();
  },
};
