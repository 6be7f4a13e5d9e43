// Telling the user what has happened, on the screen and to screen readers.

import {byId, setAttr, setText} from './dom.js';

let timer = 0;

// say shows a text for a while; bad ones stay for longer.
export function say(text, level = 'info') {
  const toast = byId('toast');
  setAttr(toast, 'role', level === 'bad' ? 'alert' : 'status');
  setAttr(toast, 'data-level', level);
  toast.hidden = false;
  setText(toast, text);
  clearTimeout(timer);
  timer = setTimeout(() => { toast.hidden = true; }, level === 'bad' ? 20000 : 8000);
}

// announce tells screen readers alone.
export const announce = text => setText(byId('announce'), text);
