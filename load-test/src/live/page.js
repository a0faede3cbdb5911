const live = document.getElementById("live");
const form = document.getElementById("swarm");
const mistake = document.getElementById("mistake");
function show(html) {
  // A reader who selects text or rests the pointer on a picture is not disturbed.
  if (String(getSelection()) === "" && !live.querySelector(".hints rect:hover")) live.innerHTML = html;
  const running = live.querySelector("[data-running=true]") !== null;
  document.getElementById("go").textContent = running ? "Change" : "Start";
  document.getElementById("stop").disabled = !running;
}
async function refresh() {
  try {
    const answer = await fetch("/live");
    if (answer.ok) show(await answer.text());
  } catch { mistake.textContent = "The generator does not answer."; }
}
async function send(path, body) {
  try {
    const answer = await fetch(path, { method: "POST", body });
    mistake.textContent = answer.ok ? "" : await answer.text();
  } catch { mistake.textContent = "The generator does not answer."; }
  refresh();
}
form.addEventListener("submit", event => { event.preventDefault(); send("/swarm", new URLSearchParams(new FormData(form))); });
document.getElementById("stop").addEventListener("click", () => send("/stop"));
show(live.innerHTML);
setInterval(refresh, 1000);
