// Weight decay: real training runs scrubbed by wd, beside the loss of one parameter as wd grows.
collabLesson.define('weight_decay', ({ data, body, state, say }) => {
  const { h, slider, chart, drag, scale, ticks, line, text, dot, path, fmt, clamp } = collabLesson
  const { wd, train, valid, optimum, curvature } = data, last = a => a[a.length - 1]
  const finals = valid.map(last), best = finals.indexOf(Math.min(...finals)), epochs = train[0].length
  let at = data.index
  const all = [...train, ...valid].flat(), lo = Math.min(...all), hi = Math.max(...all), pad = (hi - lo) * .06 || .1
  const total = w => curvature * (w - optimum) ** 2 + wd[at] * w * w, lowest = () => curvature * optimum / (curvature + wd[at])

  const pick = slider({ label: 'Weight decay', min: 0, max: wd.length - 1, step: 1, value: at, text: i => `wd = ${wd[i]}`, input: i => { at = i; draw() } })
  const runs = chart({ height: 230, label: 'Training and validation loss by epoch', draw: (w, height) => {
    const x = scale(1, Math.max(2, epochs), 40, w - 46), y = scale(lo - pad, hi + pad, height - 34, 14)
    const points = a => a.map((v, i) => [x(i + 1), y(v)])
    let svg = text(0, 10, 'loss', 'name halo') + text(x((epochs + 1) / 2), height - 2, 'epoch', 'name mid')
    for (const t of ticks(lo, hi, 4)) svg += line(40, y(t), w - 46, y(t), 'grid') + text(34, y(t) + 4, fmt(t, hi - lo < .5 ? 2 : 1), 'tick end')
    for (const t of ticks(1, epochs, Math.min(epochs - 1, 6) || 1).filter(Number.isInteger)) svg += text(x(t), height - 18, t, 'tick mid')
    valid.forEach((v, i) => { if (i !== at) svg += path(points(v), 'faint') + path(points(train[i]), 'faint dash') })
    svg += `<path d="M${[...points(train[at]), ...points(valid[at]).reverse()].map(p => p.join(' ')).join('L')}Z" class="wash fneg"/>`
    svg += path(points(train[at]), 'pos thick dash') + path(points(valid[at]), 'neg thick')
    const a = y(last(train[at])), b = y(last(valid[at])), apart = Math.max(0, 14 - Math.abs(a - b)) / 2, up = b <= a ? 1 : -1
    svg += text(w - 42, a + 4 + up * apart, 'train', 'fpos b') + text(w - 42, b + 4 - up * apart, 'valid', 'fneg b')
    return svg
  } })
  const bowl = chart({ height: 230, label: 'The loss of one parameter, with and without the penalty', draw: (w, height) => {
    const a = -.35 * optimum, b = 1.75 * optimum, roof = 1.5 * curvature * optimum ** 2, x = scale(Math.min(a, b), Math.max(a, b), 12, w - 12), y = scale(0, roof, height - 34, 14)
    const xs = Array.from({ length: 97 }, (_, i) => a + (b - a) * i / 96), curve = f => xs.map(v => [v, f(v)]).filter(p => p[1] <= roof).map(([u, v]) => [x(u), y(v)])
    let svg = line(12, y(0), w - 12, y(0), 'axis') + text(w / 2, height - 2, 'the parameter', 'name mid') + text(0, 10, 'loss', 'name halo')
    for (const t of ticks(Math.min(a, b), Math.max(a, b), 5)) svg += text(x(t), height - 18, fmt(t, 1), 'tick mid')
    svg += line(x(0), 14, x(0), y(0), 'grid')
    svg += path(curve(v => curvature * (v - optimum) ** 2), 'axis dash')
    if (wd[at]) svg += path(curve(v => wd[at] * v * v), 'alt')
    svg += path(curve(total), 'pos thick')
    const m = lowest()
    svg += line(x(m), y(total(m)), x(m), y(0), 'pos dash') + dot(x(m), y(total(m)), 7, 'fpos ring') + text(clamp(x(m), 54, w - 54), Math.min(y(total(m)) - 13, y(0) - 24), `lowest at ${fmt(m)}`, 'b mid halo')
    return svg
  } })
  const places = w => scale(0, wd.length - 1, 24, w - 24)
  const strip = chart({ height: 96, label: 'Validation loss after the last epoch, for each weight decay', draw: (w, height) => {
    const x = places(w), y = scale(Math.min(...finals), Math.max(...finals), 56, 22)
    let svg = path(finals.map((v, i) => [x(i), y(v)]), 'grid')
    finals.forEach((v, i) => {
      svg += line(x(i), y(v), x(i), 72, i === at ? 'neg' : 'grid') + dot(x(i), y(v), i === at ? 7 : 4, `${i === at ? 'fneg ring' : 'tick'}`) + text(x(i), 90, wd[i], i === at ? 'mid b' : 'tick mid')
      if (i === at || i === best) svg += text(clamp(x(i), 26, w - 26), y(v) - 11, (i === best ? '★ ' : '') + fmt(v, 3), `mid halo${i === at ? ' b' : ''}`)
    })
    return svg
  } })
  const says = h('p.cl-note')
  body.append(pick.el,
    h('div', {}, h('p.cl-head', {}, 'Validation loss after the last epoch, by wd'), strip.el),
    h('div.cl-cols', {},
      h('div', {}, h('p.cl-head', {}, 'The run with this wd ', h('span.cl-mute', {}, '(others in gray)')), runs.el),
      h('div', {}, h('p.cl-head', {}, 'One parameter: ', h('span.cl-dashed', {}, 'data'), ' + ', h('span.cl-alt', {}, 'penalty'), ' = ', h('span.cl-pos', {}, 'total')), bowl.el)),
    says)
  drag(strip, () => true, px => { at = clamp(Math.round(places(strip.el.clientWidth).back(px)), 0, wd.length - 1); pick.put(at); draw() })

  function draw() {
    const t = last(train[at]), v = last(valid[at]), gap = v - t
    const words = `wd = ${wd[at]}: training loss ${fmt(t, 3)}, validation loss ${fmt(v, 3)}, a gap of ${fmt(gap, 3)}${at === best ? '; the best validation loss of these runs' : ''}. The penalty moves the lowest point from ${fmt(optimum)} to ${fmt(lowest())}.`
    says.textContent = words
    say(words)
    runs.redraw(); bowl.redraw(); strip.redraw()
    state({ wd: wd[at], train: t, valid: v, gap, best: wd[best], lowest: lowest(), loss: total(lowest()) })
  }
  draw()
})
