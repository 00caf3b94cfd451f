/* Search without a server. Browsers refuse to start a worker from a file, so the script
 * of the worker runs in a hidden frame of the page instead. Material looks for the name
 * IFrameWorker, and MkDocs would otherwise load such a stand-in from another host. */
(() => {
  if (location.protocol !== "file:") return;
  class IFrameWorker extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = "<!doctype html><title>Search</title>";
      const attached = new Promise((ready) => {
        if (document.body) ready();
        else addEventListener("DOMContentLoaded", ready);
      });
      this.loaded = attached
        .then(() => this.opened())
        .then(() => this.load(url));
    }
    opened() {
      document.body.append(this.frame);
      return new Promise((ready) => (this.frame.onload = ready));
    }
    load(url) {
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) =>
        this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inside.document.createElement("script");
      script.src = url;
      inside.document.head.append(script);
      return new Promise((ready) => (script.onload = () => ready(inside)));
    }
    postMessage(data) {
      this.loaded.then((inside) =>
        inside.dispatchEvent(new inside.MessageEvent("message", { data })),
      );
    }
    terminate() {
      this.frame.remove();
    }
  }
  window.IFrameWorker = window.Worker = IFrameWorker;
})();
