// The runtime that every demonstration shares. One global, `collabLesson`; loading it twice does nothing.
(() => {
  if (window.collabLesson) return
  const kinds = {}, NS = 'http://www.w3.org/2000/svg'
  let uid = 0

  const reduced = () => matchMedia('(prefers-reduced-motion: reduce)').matches
  const clamp = (x, lo, hi) => Math.min(hi, Math.max(lo, x))
  const fmt = (x, digits = 2) => Number.isFinite(x) ? x.toFixed(digits).replace(/^-(?=0*\.?0*$)/, '').replace('-', '−') : '∞'
  const esc = s => String(s).replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`)
  const debounce = (f, ms) => { let t; return (...a) => { clearTimeout(t); t = setTimeout(f, ms, ...a) } }

  // h('div.a.b', {attribute: value, onclick: f}, child, …): an HTML element
  function h(tag, attrs, ...kids) {
    const [name, ...cls] = tag.split('.'), el = document.createElement(name)
    if (cls.length) el.className = cls.join(' ')
    set(el, attrs)
    el.append(...kids.flat(Infinity).filter(k => k != null))
    return el
  }
  function set(el, attrs) {
    for (const [k, v] of Object.entries(attrs || {})) {
      if (k.startsWith('on')) el.addEventListener(k.slice(2), v)
      else if (v == null || v === false) el.removeAttribute(k)
      else el.setAttribute(k, v === true ? '' : v)
    }
    return el
  }

  // A labelled range input with its value in words; every input device works it for nothing.
  function slider({ label, min, max, step, value, text = fmt, input, hide = false }) {
    const id = `cl-${++uid}`, out = h('output', { for: id })
    const range = h('input', { type: 'range', id, min, max, step, value, oninput: () => { show(); input(+range.value) } })
    const show = () => {
      const v = +range.value, zero = clamp((0 - min) / (max - min), 0, 1) * 100, at = (v - min) / (max - min) * 100
      out.textContent = text(v)
      set(range, { 'aria-valuetext': text(v) })
      range.style.setProperty('--from', `${Math.min(zero, at)}%`)
      range.style.setProperty('--to', `${Math.max(zero, at)}%`)
      range.classList.toggle('cl-neg', v < 0)
    }
    const el = h('div.cl-slider', {}, h('div.cl-row', {}, h(hide ? 'label.cl-hide' : 'label', { for: id }, label), out), range)
    const put = v => { range.value = v; show() }
    put(value)
    return { el, range, put, get value() { return +range.value }, limits(lo, hi) { set(range, { min: min = lo, max: max = hi }); show() } }
  }

  const button = (label, onclick, attrs) => h('button.cl-button', { type: 'button', onclick, ...attrs }, label)

  // An SVG as wide as its column and `height` pixels high; draw(width, height) gives its inner markup.
  function chart({ height, label, draw, cls = '' }) {
    const svg = document.createElementNS(NS, 'svg')
    set(svg, { class: `cl-chart ${cls}`, role: 'img', 'aria-label': label, height })
    let width = 0
    const redraw = () => { if (width) svg.innerHTML = draw(width, height) }
    new ResizeObserver(() => { if (svg.clientWidth !== width) { width = svg.clientWidth; redraw() } }).observe(svg)
    return { el: svg, redraw, at: e => { const b = svg.getBoundingClientRect(); return [e.clientX - b.left, e.clientY - b.top] } }
  }

  // Mouse, pen and touch alike: start(x, y) says whether the drag begins, move(x, y) follows it.
  function drag(c, start, move) {
    let on = false
    set(c.el, {
      onpointerdown: e => { on = start(...c.at(e)); if (on) { c.el.setPointerCapture(e.pointerId); move(...c.at(e)); e.preventDefault() } },
      onpointermove: e => { if (on) move(...c.at(e)) },
      onpointerup: () => { on = false }, onpointercancel: () => { on = false },
    })
  }

  const scale = (d0, d1, r0, r1) => {
    const f = x => r0 + (x - d0) / (d1 - d0) * (r1 - r0)
    f.back = y => d0 + (y - r0) / (r1 - r0) * (d1 - d0)
    return f
  }
  const ticks = (lo, hi, n = 5) => {
    const raw = (hi - lo) / n, p = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].find(m => m * p >= raw) * p, out = []
    for (let i = Math.ceil(lo / step - 1e-9); i * step <= hi + 1e-9; i++) out.push(+(i * step).toPrecision(12))
    return out
  }
  const line = (x1, y1, x2, y2, cls) => `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="${cls}"/>`
  const text = (x, y, s, cls = '') => `<text x="${x}" y="${y}" class="${cls}">${esc(s)}</text>`
  const dot = (x, y, r, cls) => `<circle cx="${x}" cy="${y}" r="${r}" class="${cls}"/>`
  const path = (points, cls) => `<path d="M${points.map(p => p.map(v => v.toFixed(1)).join(' ')).join('L')}" class="${cls}"/>`

  // A search box over `titles` (the ARIA combobox pattern); pick(i) hears the index that was chosen.
  function search({ label, titles, pick, max = 6 }) {
    const id = `cl-${++uid}`, low = titles.map(t => t.toLowerCase())
    let found = [], at = -1
    const list = h('ul.cl-options', { role: 'listbox', id: `${id}-list`, 'aria-label': label, hidden: true })
    const input = h('input', {
      type: 'text', id, role: 'combobox', autocomplete: 'off', spellcheck: 'false', placeholder: 'Type a title',
      'aria-expanded': 'false', 'aria-controls': `${id}-list`, 'aria-autocomplete': 'list',
      oninput: () => {
        const q = input.value.trim().toLowerCase()
        found = q ? low.map((t, i) => [t.indexOf(q), i]).filter(([p]) => p >= 0).sort((a, b) => (a[0] > 0) - (b[0] > 0) || a[1] - b[1]).slice(0, max).map(([, i]) => i) : []
        at = found.length ? 0 : -1
        show(q && !found.length)
      },
      onkeydown: e => {
        if (e.key === 'Escape') { found = []; show() }
        else if (e.key === 'Enter' && at >= 0) { e.preventDefault(); choose(found[at]) }
        else if (found.length && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
          e.preventDefault()
          at = (at + (e.key === 'ArrowDown' ? 1 : found.length - 1)) % found.length
          show()
        }
      },
      onblur: () => { found = []; show() },
    })
    const choose = i => { input.value = ''; found = []; show(); pick(i) }
    const show = none => {
      list.hidden = !found.length && !none
      list.replaceChildren(...found.map((i, j) => h('li', { role: 'option', id: `${id}-${j}`, 'aria-selected': String(j === at), onpointerdown: e => { e.preventDefault(); choose(i) } }, titles[i])),
        ...none ? [h('li', { role: 'option', 'aria-disabled': 'true', 'aria-selected': 'false' }, 'No such title')] : [])
      set(input, { 'aria-expanded': String(!list.hidden), 'aria-activedescendant': at >= 0 && found.length ? `${id}-${at}` : null })
    }
    return { el: h('div.cl-search', {}, h('label', { for: id }, label), input, list), input }
  }

  // Replace the static text of every figure whose kind is known; on an error the text stays.
  function mount() {
    for (const root of document.querySelectorAll('.cl-w:not([data-ready])')) {
      const kind = kinds[root.dataset.widget], body = root.querySelector('.cl-body')
      if (!kind) continue
      root.dataset.ready = ''
      const fallback = [...body.childNodes], live = h('p.cl-hide', { role: 'status', 'aria-live': 'polite' })
      const state = s => { root.dataset.state = JSON.stringify(s) }
      root.addEventListener('focusin', e => e.target.setAttribute('data-lm-suppress-shortcuts', 'true'))  // or JupyterLab takes the arrow keys
      const say = debounce(s => { live.textContent = s }, 400)
      try {
        const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent)
        body.replaceChildren()
        kind({ data, root, body, state, say })
        root.append(live)
      } catch (e) {
        body.replaceChildren(...fallback)
        console.error(e)
      }
    }
  }
  const define = (name, kind) => { kinds[name] = kind; mount() }

  window.collabLesson = { define, mount, h, set, slider, button, chart, drag, scale, ticks, line, text, dot, path, search, fmt, esc, clamp, reduced }
})()
