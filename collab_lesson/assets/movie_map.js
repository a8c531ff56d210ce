// The movie map: two axes of the trained factors; zoom, move, search, and see a movie's nearest neighbors.
collabLesson.define('movie_map', ({ data, body, state, say }) => {
  const { h, set, button, chart, search, scale, ticks, line, text, dot, fmt, clamp } = collabLesson
  const { titles, xy, neighbors, axes } = data, n = titles.length, H = 420
  const ends = j => { const a = xy.map(p => p[j]), lo = Math.min(...a), hi = Math.max(...a), pad = (hi - lo || 1) * .06; return [lo - pad, hi + pad] }
  const [ex, ey] = [ends(0), ends(1)]
  let zoom = 1, cx = .5, cy = .5, at = data.index  // the center of the view, as a share of each axis

  const share = xy.map(([x, y]) => [(x - ex[0]) / (ex[1] - ex[0]), (y - ey[0]) / (ey[1] - ey[0])])
  const view = () => {
    const half = .5 / zoom
    cx = clamp(cx, half, 1 - half); cy = clamp(cy, half, 1 - half)
    let near = null, least = Infinity  // the dot nearest to the middle stays in view
    for (const [x, y] of share) { const d = Math.max(Math.abs(x - cx), Math.abs(y - cy)); if (d < least) { least = d; near = [x, y] } }
    if (least > .8 * half) { cx = clamp(cx, near[0] - .8 * half, near[0] + .8 * half); cy = clamp(cy, near[1] - .8 * half, near[1] + .8 * half) }
    const cut = ([a, b], c) => [a + (b - a) * (c - half), a + (b - a) * (c + half)]
    return [cut(ex, cx), cut(ey, cy)]
  }
  const map = w => { const [vx, vy] = view(); return [scale(...vx, 0, w), scale(...vy, H, 0)] }
  const short = s => s.length > 26 ? s.slice(0, 25) + '…' : s
  const plot = chart({ height: H, label: 'Movies by their factors', cls: 'cl-map', draw: w => {
    const [x, y] = map(w), near = neighbors ? neighbors[at] : [], taken = []
    const inside = i => { const px = x(xy[i][0]), py = y(xy[i][1]); return px > 4 && px < w - 4 && py > 4 && py < H - 4 }
    let svg = `<rect width="${w}" height="${H}" class="cl-ground"/>`
    for (const t of ticks(...view()[0], 5)) svg += line(x(t), 0, x(t), H, 'grid')
    for (const t of ticks(...view()[1], 5)) svg += line(0, y(t), w, y(t), 'grid')
    svg += text(w - 6, H - 6, axes[0], 'name end') + `<text transform="translate(14 ${H - 6}) rotate(-90)" class="name">${collabLesson.esc(axes[1])}</text>`
    svg += `<g class="cl-cloud">${titles.map((_, i) => inside(i) ? `<circle cx="${x(xy[i][0]).toFixed(1)}" cy="${y(xy[i][1]).toFixed(1)}" r="4"/>` : '').join('')}</g>`
    const P = i => [x(xy[i][0]), y(xy[i][1])]
    for (const i of near) svg += line(...P(at), ...P(i), 'alt')
    for (const i of near) if (inside(i)) svg += dot(...P(i), 5.5, 'falt ring')
    if (inside(at)) svg += dot(...P(at), 8, 'fneg ring')
    const label = (i, cls) => {  // a label goes above or below its dot, where no other is
      if (!inside(i)) return
      const s = short(titles[i]), wide = s.length * 6.8 + 6, [px, py] = P(i), left = clamp(px - wide / 2, 2, Math.max(2, w - wide - 2))
      for (const top of [py - 24, py + 8]) {
        if (top < 0 || top > H - 16 || taken.some(b => left < b[0] + b[2] && b[0] < left + wide && top < b[1] + 16 && b[1] < top + 16)) continue
        taken.push([left, top, wide])
        svg += text(left + wide / 2, top + 13, s, `halo mid ${cls}`)
        return
      }
    }
    label(at, 'b')
    near.forEach(i => label(i, 'falt'))
    for (let i = 0, most = (w < 480 ? 6 : 14) + near.length; i < n && taken.length < most; i++) if (i !== at && !near.includes(i)) label(i, 'name')
    return svg
  } })

  const frame = h('div.cl-focus', { tabindex: '0', role: 'application', 'aria-label': 'Movie map. Arrow keys move it, plus and minus zoom, 0 shows all.', onkeydown: e => {
    const step = .15 / zoom, f = { ArrowLeft: () => { cx -= step }, ArrowRight: () => { cx += step }, ArrowUp: () => { cy += step }, ArrowDown: () => { cy -= step }, '+': () => near(1.4), '=': () => near(1.4), '-': () => near(1 / 1.4), 0: () => near(0) }[e.key]
    if (f && !e.ctrlKey && !e.metaKey) { e.preventDefault(); f(); draw() }
  } }, plot.el)
  const near = f => { zoom = f ? clamp(zoom * f, 1, 40) : 1 }
  const about = (f, px, py) => {  // zoom by f and keep what lies under the pointer there
    const w = plot.el.clientWidth, sx = px / w - .5, sy = .5 - py / H, before = zoom
    near(f)
    cx += sx * (1 / before - 1 / zoom); cy += sy * (1 / before - 1 / zoom)
    draw()
  }
  const press = f => () => { near(f); draw() }
  const find = search({ label: 'Find a movie', titles, pick: i => choose(i, true) })
  const tools = h('div.cl-tools', { role: 'group', 'aria-label': 'Zoom' }, button('+', press(1.4), { 'aria-label': 'Zoom in' }), button('−', press(1 / 1.4), { 'aria-label': 'Zoom out' }), button('Show all', press(0)))
  const list = h('div.cl-tools.cl-near', { role: 'group', 'aria-label': 'Nearest neighbors' })
  const says = h('p.cl-note')
  body.append(h('div.cl-find', {}, find.el, tools), frame, neighbors ? list : '', says)

  // One pointer of a mouse moves the map; on a touch screen one finger scrolls the page and two move and zoom the map.
  const held = new Map()
  let far = 0
  const spread = () => { const [a, b] = [...held.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]) }
  set(plot.el, {
    onpointerdown: e => { held.set(e.pointerId, plot.at(e)); far = 0 },
    onpointermove: e => {
      if (!held.has(e.pointerId)) return
      const w = plot.el.clientWidth, [px, py] = plot.at(e), [ox, oy] = held.get(e.pointerId), two = held.size === 2, was = two && spread()
      held.set(e.pointerId, [px, py])
      far += Math.hypot(px - ox, py - oy)
      if (e.pointerType === 'mouse' && far > 4) plot.el.setPointerCapture(e.pointerId)
      if (e.pointerType !== 'mouse' && !two) return
      cx -= (px - ox) / w / zoom / held.size; cy += (py - oy) / H / zoom / held.size
      if (two && was) { const mid = [...held.values()].reduce((s, p) => [s[0] + p[0] / 2, s[1] + p[1] / 2], [0, 0]); return about(spread() / was, ...mid) }
      draw()
    },
    onpointerup: e => {
      held.delete(e.pointerId)
      if (far > 6) return
      const [px, py] = plot.at(e), [x, y] = map(plot.el.clientWidth)
      let best = -1, least = 22 ** 2
      xy.forEach((p, i) => { const d = (x(p[0]) - px) ** 2 + (y(p[1]) - py) ** 2; if (d < least) { least = d; best = i } })
      if (best >= 0) choose(best)
    },
    onpointercancel: e => held.delete(e.pointerId),
    ondblclick: e => about(1.8, ...plot.at(e)),
  })
  plot.el.addEventListener('wheel', e => { if (e.ctrlKey || e.metaKey) { e.preventDefault(); about(Math.exp(-e.deltaY / 300), ...plot.at(e)) } }, { passive: false })

  function choose(i, center) {
    at = i
    if (center) {
      zoom = Math.max(zoom, 2)
      cx = (xy[i][0] - ex[0]) / (ex[1] - ex[0]); cy = (xy[i][1] - ey[0]) / (ey[1] - ey[0])
    }
    const words = `“${titles[i]}”` + (neighbors ? `: nearest are ${neighbors[i].map(j => `“${titles[j]}”`).join(', ')}.` : ` at ${fmt(xy[i][0])}, ${fmt(xy[i][1])}.`)
    says.textContent = words
    say(words)
    if (neighbors) list.replaceChildren(h('span.cl-mute', {}, 'Go to'), ...neighbors[i].slice(0, 3).map(j => button(short(titles[j]), () => { choose(j, true); find.input.focus() })))
    draw()
  }
  function draw() {
    plot.redraw()
    view()
    state({ index: at, title: titles[at], neighbors: neighbors ? neighbors[at].map(j => titles[j]) : null, zoom, center: [cx, cy], in_view: share.filter(([x, y]) => Math.abs(x - cx) < .5 / zoom && Math.abs(y - cy) < .5 / zoom).length })
  }
  choose(at)
})
