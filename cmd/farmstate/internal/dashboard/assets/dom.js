// The page is changed by these functions alone. Text from a node is only ever made a text node or an attribute that is not run, never markup.

export const byId = id => document.getElementById(id);

const svgSpace = 'http://www.w3.org/2000/svg';

function fill(e, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttr(e, name, value);
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

// el makes an element; children are elements and texts.
export const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

// svg makes an element of a picture.
export const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(svgSpace, name), attributes, children);

// icon refers to a symbol of the page.
export const icon = (level, attributes = {}) => svg('svg', {class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', ...attributes}, svg('use', {href: `#icon-${level}`}));

// setText and setAttr change only what differs, so that screen readers and selections are left alone.
export function setText(e, text) {
  text = String(text);
  if (e.textContent !== text) e.textContent = text;
}

export function setAttr(e, name, value) {
  if (value === false || value === null || value === undefined) e.removeAttribute(name);
  else if (e.getAttribute(name) !== String(value)) e.setAttribute(name, value === true ? '' : value);
}

// sync makes the children of a parent those of a list: children are found again by key(item), made by make(item) and brought up to date by update(child, item), so that
// focus and position stay where they are.
export function sync(parent, items, key, make, update) {
  const known = new Map();
  for (const child of parent.children) known.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = known.get(name);
    if (child) {
      known.delete(name);
    } else {
      child = make(item);
      child.dataset.key = name;
    }
    if (update) update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of known.values()) child.remove();
}

// table fills a table. columns: {title, number, value(row), cell(td, row)}; value gives the text of a cell, cell fills it otherwise. The first column is the row's header.
export function table(t, caption, columns, rows, key, empty) {
  if (!t.tHead) {
    t.append(el('caption', {class: 'hidden'}, caption), el('thead', {}, el('tr', {}, ...columns.map(c => el('th', {scope: 'col', class: c.number ? 'number' : null}, c.title)))), el('tbody'));
  }
  const shown = rows.length > 0 ? rows : [null];
  sync(t.tBodies[0], shown, r => r ? key(r) : '(none)', r => {
    if (!r) return el('tr', {class: 'none'}, el('td', {colspan: columns.length}));
    return el('tr', {}, ...columns.map((c, i) => el(i === 0 ? 'th' : 'td', {scope: i === 0 ? 'row' : null, class: c.number ? 'number' : null})));
  }, (tr, r) => {
    if (!r) {
      setText(tr.cells[0], empty);
      return;
    }
    columns.forEach((c, i) => c.cell ? c.cell(tr.cells[i], r) : setText(tr.cells[i], c.value(r)));
  });
}
