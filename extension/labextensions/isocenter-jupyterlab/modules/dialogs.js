// Questions to the user and short messages, as the application shows them.

/** @param {any} apputils @param {any} widgets */
export function dialogs_of({ showDialog, showErrorMessage, Dialog, InputDialog, Notification }, { Widget }) {
  return {
    /** Whether the user is sure. */
    async sure(title, body, label) {
      const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label })];
      const answer = await showDialog({ title, body, buttons, defaultButton: 0 });
      return answer.button.accept;
    },
    /** A text, or null. */
    async text(title, label, text, okLabel) {
      const answer = await InputDialog.getText({ title, label, text, okLabel, selectionRange: text.length });
      return answer.button.accept ? (answer.value ?? "").trim() || null : null;
    },
    /** Long text to read, its end in view. */
    async read(title, text) {
      const node = document.createElement("pre");
      node.className = "iso-log";
      node.tabIndex = 0;
      node.textContent = text;
      const body = new Widget({ node });
      const shown = showDialog({ title, body, buttons: [Dialog.okButton({ label: "Close" })] });
      requestAnimationFrame(() => {
        node.scrollTop = node.scrollHeight;
      });
      await shown;
    },
    /** That something is done. */
    tell(text) {
      Notification.success(text, { autoClose: 4000 });
    },
    /** That it is not. */
    failed(error) {
      return showErrorMessage("Isocenter", [error?.message ?? String(error), error?.hint].filter(Boolean).join("\n"));
    },
  };
}
