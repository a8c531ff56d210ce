// Bias against mean rating: one dot for each movie; point at it, search it, or scrub through the order of bias.
collabLesson.define('bias', ({ data, body, state, say }) => {
  const { h, set, slider, chart, search, scale, ticks, line, text, dot, fmt, clamp } = collabLesson
  const { titles, bias, mean, count } = data, n = titles.length, H = 340
  const order = bias.map((_, i) => i).sort((a, b) => bias[a] - bias[b]), rank = []
  order.forEach((i, r) => { rank[i] = r })
  const most = count ? Math.max(...count) : 1, size = i => count ? 2.5 + 5 * Math.sqrt(count[i] / most) : 4
  const ends = a => { const lo = Math.min(...a), hi = Math.max(...a), pad = (hi - lo || 1) * .06; return [lo - pad, hi + pad] }
  const ex = ends(mean), ey = ends(bias), map = w => [scale(...ex, 40, w - 10), scale(...ey, H - 36, 18)]
  let at = order[n - 1]

  const find = search({ label: 'Find a movie', titles, pick: i => choose(i, true) })
  const scrub = slider({ label: 'In order of bias', min: 1, max: n, step: 1, value: n, text: r => `${r} of ${n}`, input: r => choose(order[r - 1], true) })
  const plot = chart({ height: H, label: 'Bias of each movie against its mean rating', draw: w => {
    const [x, y] = map(w)
    let svg = text(0, 10, 'bias', 'name halo') + text(w / 2, H - 2, 'mean rating', 'name mid')
    for (const t of ticks(...ey, 5)) svg += line(40, y(t), w - 10, y(t), t ? 'grid' : 'axis') + text(34, y(t) + 4, fmt(t, 1), 'tick end')
    for (const t of ticks(...ex, 6)) svg += text(x(t), H - 18, fmt(t, 1), 'tick mid')
    svg += `<g class="cl-cloud">${titles.map((_, i) => `<circle cx="${x(mean[i]).toFixed(1)}" cy="${y(bias[i]).toFixed(1)}" r="${size(i).toFixed(1)}"/>`).join('')}</g>`
    const px = x(mean[at]), py = y(bias[at]), name = titles[at].length > 38 ? titles[at].slice(0, 36) + '…' : titles[at], side = px < w / 2
    svg += line(px, py, px, H - 36, 'neg dash') + line(40, py, px, py, 'neg dash') + dot(px, py, size(at) + 2, 'fneg ring')
    const wide = Math.min(w, name.length * 8)
    return svg + text(clamp(px, wide / 2, w - wide / 2), py < 40 ? py + 26 : py - 14, name, 'b halo mid')
  } })
  const says = h('p.cl-note')
  body.append(h('div.cl-cols', {}, find.el, scrub.el), plot.el, says)

  const near = e => {
    const [px, py] = plot.at(e), [x, y] = map(plot.el.clientWidth)
    let best = -1, least = 24 ** 2
    titles.forEach((_, i) => { const d = (x(mean[i]) - px) ** 2 + (y(bias[i]) - py) ** 2; if (d < least) { least = d; best = i } })
    if (best >= 0 && best !== at) choose(best)
  }
  set(plot.el, { onpointermove: near, onpointerdown: near })

  function choose(i, speak) {
    at = i
    scrub.put(rank[i] + 1)
    const peers = bias.filter((_, j) => Math.abs(mean[j] - mean[i]) <= .1)
    const words = `“${titles[i]}”: bias ${fmt(bias[i])}, mean rating ${fmt(mean[i])}${count ? ` from ${count[i]} ratings` : ''}. ` +
      (peers.length > 1 ? `The ${peers.length} movies within 0.1 of that mean have biases from ${fmt(Math.min(...peers))} to ${fmt(Math.max(...peers))}.` : 'No other movie is within 0.1 of that mean.')
    says.textContent = words
    if (speak) say(words)
    plot.redraw()
    state({ index: i, title: titles[i], bias: bias[i], mean: mean[i], rank: rank[i] + 1 })
  }
  choose(at)
})
