// The tally as it changes, from server-sent events beside this page, whatever prefix it stands behind.
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const plural = (n, one, many) => (n === 1 ? one : many);

function show({ mountains, sea }) {
  const all = mountains + sea;
  const percent = all ? Math.round((100 * mountains) / all) : 0;
  byId("voters").textContent = number.format(all);
  byId("people").textContent = plural(all, "person has", "people have");
  for (const [name, count, share] of [["mountains", mountains, percent], ["sea", sea, all ? 100 - percent : 0]]) {
    byId(`percent-${name}`).textContent = share;
    byId(`count-${name}`).textContent = `${number.format(count)} ${plural(count, "vote", "votes")}`;
    byId(`share-${name}`).style.flexGrow = all ? Math.max(share, 1) : 1;
  }
}

function tell(state) {
  const badge = byId("state");
  if (badge.dataset.state === state) return; // read aloud when it changes only
  badge.dataset.state = state;
  badge.textContent = state;
}

const { mountains, sea } = byId("shares").dataset;
show({ mountains: Number(mountains), sea: Number(sea) });

function follow() {
  const events = new EventSource("live");
  events.onmessage = (event) => {
    const tally = JSON.parse(event.data);
    show(tally);
    tell(tally.known ? "live" : "waiting");
  };
  events.onerror = () => {
    tell("waiting");
    // The browser comes back by itself when the connection ends, but not after an answer such as 503.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  };
}
follow();
