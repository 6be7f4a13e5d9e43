// The admin token: kept by this tab alone, and only once a node has accepted it.

import {byId, setText} from './dom.js';
import {page} from './poll.js';
import {say} from './say.js';

const place = 'farmstate-admin-token';
const changes = new EventTarget();

export const token = () => sessionStorage.getItem(place) ?? '';

// onChange calls a function whenever the token is another one.
export const onChange = f => changes.addEventListener('change', f);

function keep(text) {
  sessionStorage.setItem(place, text);
  changes.dispatchEvent(new Event('change'));
}

// forget drops a token, if it is still the one in use.
export function forget(used, why) {
  if (!used || used !== token()) return;
  sessionStorage.removeItem(place);
  changes.dispatchEvent(new Event('change'));
  say(why);
}

// need resolves to the token; it asks for it if there is none, and resolves to '' if the user does not give one.
export async function need() {
  return token() || ask();
}

let waiting = null; // resolves what ask has returned

function ask() {
  const dialog = byId('token-dialog');
  byId('token-input').value = '';
  setText(byId('token-error'), '');
  dialog.showModal();
  byId('token-input').focus();
  return new Promise(resolve => { waiting = resolve; });
}

async function submitted(event) {
  event.preventDefault();
  const text = byId('token-input').value.trim();
  if (!text) return;
  if (/[^\x21-\x7e]/.test(text)) {
    setText(byId('token-error'), 'The token has no spaces and no letters beyond ASCII.');
    return;
  }
  setText(byId('token-error'), '');
  try {
    await page('status', text);
  } catch (err) {
    setText(byId('token-error'), err.status === 401 ? err.message : `The token could not be tried: ${err.message}`);
    byId('token-input').select();
    return;
  }
  keep(text);
  say('The admin token is right.');
  byId('token-dialog').close();
  ended();
}

// ended tells whoever waits. The dialog's own event comes late, or never in a tab that nobody sees.
function ended() {
  byId('token-input').value = '';
  waiting?.(token());
  waiting = null;
}

export function start() {
  const button = byId('token');
  const dialog = byId('token-dialog');
  const show = () => setText(button, token() ? 'Forget the admin token' : 'Enter the admin token…');
  button.addEventListener('click', () => token() ? forget(token(), 'The admin token was forgotten.') : ask());
  byId('token-form').addEventListener('submit', submitted);
  byId('token-cancel').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => { if (!dialog.open) ended(); });
  onChange(show);
  show();
}
