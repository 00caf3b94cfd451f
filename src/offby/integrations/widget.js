// The page lies in a frame: neither its style nor the notebook's meets the other.
function render({ model, el }) {
  const frame = document.createElement("iframe");
  frame.title = "The explainer of offby";
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.width = "100%";
  frame.style.border = "0";
  const draw = () => {
    frame.height = model.get("height");
    if (frame.srcdoc !== model.get("page")) frame.srcdoc = model.get("page");
  };
  draw();
  model.on("change", draw);
  el.append(frame);
  return () => model.off("change", draw);
}
export default { render };
