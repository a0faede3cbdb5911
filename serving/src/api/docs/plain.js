// Shows the first model's columns, and asks it.
const at = (id) => document.getElementById(id);
const show = (description) => {
  const row = description.components.schemas.Row;
  at("title").textContent = document.title = description.info.title;
  at("version").textContent = "version " + description.info.version;
  for (const [name, schema] of Object.entries(row.properties ?? {})) {
    const kinds = schema.type ?? [...new Set(schema.enum.map((value) => typeof value))];
    const cells = [name, kinds.join(", "), row.required.includes(name) ? "yes" : "no"];
    const line = at("columns").insertRow();
    for (const text of cells) line.insertCell().textContent = text;
  }
  const example = row.examples ? row.examples[0] : Object.fromEntries(Object.keys(row.properties ?? {}).map((name) => [name, 0]));
  at("body").value = JSON.stringify(example, null, 2);
};
fetch("/openapi.json").then((answer) => answer.ok && answer.json().then(show));
at("send").onclick = async () => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/predict", { method: "POST", headers, body: at("body").value });
  at("answer").textContent = answer.status + "\n" + await answer.text();
};
