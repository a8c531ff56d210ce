// sigmoid_range: where low and high put the curve, its gradient, and the ratings that it can reach.
collabLesson.define('y_range', ({ data, body, state, say }) => {
  const { h, slider, chart, drag, scale, ticks, line, text, dot, path, fmt, clamp } = collabLesson
  const { ratings, bottom, middle, top } = data
  let [low, high] = data.y_range, at = data.x
  const X = 6, span = () => high - low, curve = x => low + span() / (1 + Math.exp(-x))
  const slope = x => span() / (2 + Math.exp(x) + Math.exp(-x))
  const needs = r => r > low && r < high ? Math.log((r - low) / (high - r)) : null
  const gradient = r => needs(r) === null ? 0 : (r - low) * (high - r) / span()
  const rate = r => +r.toFixed(2)

  const knobs = [
    slider({ label: 'low', min: bottom, max: middle, step: .05, value: low, input: v => { low = v; draw() } }),
    slider({ label: 'high', min: middle, max: top, step: .05, value: high, input: v => { high = v; draw() } }),
    slider({ label: 'x, the dot product', min: -X, max: X, step: .05, value: at, input: v => { at = v; draw() } })]
  const xs = Array.from({ length: 121 }, (_, i) => -X + i * X / 60), left = 44
  const scales = (w, height) => [scale(-X, X, left, w - 78), scale(bottom - .3, top + .3, height - 8, 8)]

  const main = chart({ height: 250, label: 'The prediction against the dot product', draw: (w, height) => {
    const [x, y] = scales(w, height), right = w - 78
    let svg = text(0, 12, 'prediction', 'name halo')
    for (const r of ratings) {
      const need = needs(r), ok = need !== null
      svg += line(left, y(r), right, y(r), 'grid') + text(left - 8, y(r) + 4, rate(r), 'tick end')
      if (!ok) svg += text(right + 8, y(r) + 4, '✕ no reach', 'fneg b')
      else svg += Math.abs(need) > X ? text(right + 8, y(r) + 4, '✓ far off', 'fgood') : text(right + 8, y(r) + 4, `✓ x = ${fmt(need, 1)}`, 'fgood')
    }
    for (const [v, name, dy] of [[low, 'low', 16], [high, 'high', -7]])
      svg += line(left, y(v), right, y(v), 'alt dash') + text(x(-X * .45), y(v) + dy, `${name} ${fmt(v)}`, 'falt b halo mid') + `<rect x="${left - 5}" y="${y(v) - 5}" width="10" height="10" rx="2" class="falt ring"/>`
    svg += path(xs.map(v => [x(v), y(curve(v))]), 'pos thick')
    for (const r of ratings) { const need = needs(r); if (need !== null && Math.abs(need) <= X) svg += dot(x(need), y(r), 4.5, 'fgood ring') }
    svg += line(x(at), y(curve(at)), x(at), height, 'axis dash') + dot(x(at), y(curve(at)), 7, 'fpos ring')
    return svg
  } })
  const below = chart({ height: 132, label: 'The gradient of the prediction', draw: (w, height) => {
    const [x] = scales(w, height), y = scale(0, (top - bottom) / 4 * 1.1, height - 36, 16)
    let svg = text(0, 8, 'gradient', 'name halo')
    for (const t of ticks(0, (top - bottom) / 4, 3)) svg += line(left, y(t), w - 78, y(t), 'grid') + text(left - 8, y(t) + 4, fmt(t, 1), 'tick end')
    for (const t of ticks(-X, X, 6)) svg += text(x(t), height - 18, fmt(t, 0), 'tick mid')
    svg += text(x(0), height - 2, 'x, the dot product', 'name mid')
    svg += `<path d="M${x(-X)} ${y(0)}L${xs.map(v => `${x(v).toFixed(1)} ${y(slope(v)).toFixed(1)}`).join('L')}L${x(X)} ${y(0)}Z" class="wash fpos"/>`
    svg += path(xs.map(v => [x(v), y(slope(v))]), 'pos thick')
    for (const r of ratings) { const need = needs(r); if (need !== null && Math.abs(need) <= X) svg += dot(x(need), y(slope(need)), 4.5, 'fgood ring') }
    svg += line(x(at), 0, x(at), y(slope(at)), 'axis dash') + dot(x(at), y(slope(at)), 7, 'fpos ring')
    svg += text(w - 70, y(slope(at)) + 4, fmt(slope(at)), 'fpos b')
    return svg
  } })

  const cells = ratings.map(() => [h('td'), h('td')])
  const table = h('table.cl-range', {},
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'a rating of'), ratings.map(r => h('th.cl-mid', { scope: 'col' }, rate(r))))),
    h('tbody', {}, h('tr', {}, h('th', { scope: 'row' }, 'needs x ='), cells.map(c => c[0])), h('tr', {}, h('th', { scope: 'row' }, 'gradient there'), cells.map(c => c[1]))))
  const says = h('p.cl-note')
  body.append(h('div.cl-three', {}, knobs.map(k => k.el)), h('div.cl-stack', {}, main.el, below.el), table, says)

  let held
  drag(main, (px, py) => {
    const y = scales(main.el.clientWidth, 250)[1], near = v => Math.abs(py - y(v)) < 12
    held = near(high) ? 1 : near(low) ? 0 : 2
    return true
  }, (px, py) => {
    const [x, y] = scales(main.el.clientWidth, 250), v = held === 2 ? clamp(x.back(px), -X, X) : clamp(y.back(py), ...held ? [middle, top] : [bottom, middle])
    const snapped = Math.round(v * 20) / 20
    knobs[held].put(snapped)
    if (held === 2) at = snapped; else if (held) high = snapped; else low = snapped
    draw()
  })

  function draw() {
    const lost = ratings.filter(r => needs(r) === null)
    cells.forEach(([a, b], i) => {
      const need = needs(ratings[i])
      a.textContent = need === null ? '✕' : fmt(need)
      b.textContent = need === null ? '–' : fmt(gradient(ratings[i]))
      a.className = b.className = need === null ? 'cl-neg' : ''
      if (need === null) a.setAttribute('aria-label', 'out of reach'); else a.removeAttribute('aria-label')
    })
    const words = `At x = ${fmt(at)} the prediction is ${fmt(curve(at))} and its gradient ${fmt(slope(at))}. ` +
      (lost.length ? `Out of reach, at any x: ${lost.map(rate).join(' and ')}.` : 'Every rating is within reach.')
    says.textContent = words
    say(words)
    main.redraw(); below.redraw()
    state({ low, high, x: at, prediction: curve(at), gradient: slope(at), out_of_reach: lost, needs: ratings.map(needs), gradients: ratings.map(gradient) })
  }
  draw()
})
