// Asking the node that served this page, one request at a time.

import {token, forget} from './token.js';

const pause = 2000; // ms between requests
const pauseHidden = 10000; // while nobody sees the page
const pauseMost = 15000; // when requests fail
const patience = 12000; // how long one may take

// page reads a page of this node. It throws an Error, with its status if there was an answer.
export async function page(name, withToken = token()) {
  const headers = withToken ? {Authorization: `Bearer ${withToken}`} : {};
  const answer = await fetch(`/api/v1/${name}`, {headers, cache: 'no-store', signal: AbortSignal.timeout(patience)});
  if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim() || answer.statusText), {status: answer.status});
  return answer.json();
}

// poll calls got with each picture of the farm, and failed when there is none. The function that it returns asks at once.
export function poll(got, failed) {
  let timer = 0;
  let running = false;
  let again = false;
  let failures = 0;
  async function ask() {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    running = true;
    again = false;
    const used = token();
    try {
      const nodes = await page('nodes', used);
      failures = 0;
      got(nodes);
    } catch (err) {
      if (err.status === 401) {
        forget(used, 'The node no longer accepts the admin token; it was forgotten.');
        again = true;
      } else {
        failures++;
        failed(err);
      }
    }
    running = false;
    const wait = failures > 0 ? Math.min(pause * 2 ** (failures - 1), pauseMost) : document.hidden ? pauseHidden : pause;
    timer = setTimeout(ask, again ? 0 : wait);
  }
  document.addEventListener('visibilitychange', () => { if (!document.hidden) ask(); });
  ask();
  return ask;
}
