// The page is whole without this script; with it, charts can be zoomed and read, and pictures compared.
(() => {
  "use strict";
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const read = (page) => JSON.parse($("#data", page).textContent);
  let data = read(document);
  const root = document.documentElement;
  const style = () => getComputedStyle(root);
  let colours = {};
  const readColours = () => {
    const of = style();
    for (const name of ["ink", "soft", "line", "grid", "met", "below", "spread", "ghost", "earlier", "earlier-inside", "floor", "rate", "rate-fill", "limit", "chapter", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]) {
      colours[name] = of.getPropertyValue("--" + name).trim();
    }
  };

  const round = (value, decimals = 2) => String(+value.toFixed(decimals));
  const clock = (seconds, decimals = 2) => {
    const total = Math.max(0, +seconds.toFixed(decimals));
    const hours = Math.floor(total / 3600), minutes = Math.floor(total / 60) % 60;
    const exact = (total % 60).toFixed(decimals);
    const rest = exact.includes(".") ? exact.replace(/\.?0+$/, "") : exact;
    const padded = rest.split(".")[0].length < 2 ? "0" + rest : rest;
    return (hours ? hours + ":" + String(minutes).padStart(2, "0") : minutes) + ":" + padded;
  };
  const scaled = (value, names) => {
    let place = 0;
    while (value >= 999.5 && place + 1 < names.length) { value /= 1000; place++; }
    return (place === 0 ? value.toFixed(0) : value.toPrecision(3)) + " " + names[place];
  };
  const bytes = (value) => scaled(value, ["bytes", "kB", "MB", "GB"]);
  const bitRate = (kilobits) => scaled(kilobits * 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]);
  // Text goes into the page through this alone, so that no name can be markup.
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // ---- pictures side by side
  const pictures = () => {
    root.classList.add("sliding");
    for (const figure of all(".moments figure")) {
      const [pair, slider] = [$(".pair", figure), $("input", figure)];
      slider.hidden = false;
      const cut = () => pair.style.setProperty("--cut", slider.value + "%");
      slider.addEventListener("input", cut);
      const point = (event) => {
        const box = pair.getBoundingClientRect();
        slider.value = String(Math.round(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * 100));
        cut();
      };
      pair.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" || event.buttons) point(event); });
      pair.addEventListener("pointerdown", point);
      cut();
    }
    for (const hint of all(".slide-hint")) hint.hidden = false;
  };

  // ---- units: [first frame, end frame, start, end, chosen, [[pass, quality, score, bytes, reason]], scene]
  const START = 2, END = 3, CHOSEN = 4, TAKES = 5;
  const chosenTake = (unit) => unit[TAKES][unit[CHOSEN]];
  const scoreOf = (unit) => { const take = chosenTake(unit); return take ? take[2] : null; };
  const isBelow = (score) => data.floor !== null && Math.round(score * 100) < Math.round(data.floor * 100);
  const unitAt = (seconds) => {
    let low = 0, high = data.units.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (data.units[middle][START] <= seconds) low = middle; else high = middle - 1;
    }
    return low;
  };

  let scores = null, rates = null, histogram = null;
  let view = [0, data.seconds || 1];
  let cursorUnit = -1;

  const font = () => "12px " + getComputedStyle(document.body).fontFamily;
  const axes = (valueLabel) => [
    {
      stroke: () => colours.soft, font: font(), grid: { show: false }, ticks: { stroke: () => colours.line, size: 4 }, size: 28, gap: 4, space: 70,
      values: (_, places, __, ___, step) => places.map((place) => clock(place, step < 1 ? 2 : 0)),
      incrs: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200],
    },
    { stroke: () => colours.soft, font: font(), grid: { stroke: () => colours.grid, width: 1 }, ticks: { show: false }, size: 52, gap: 6, space: 34, values: valueLabel },
  ];

  // Draws within the plot alone, with the settings of the canvas put back afterwards.
  const inside = (plot, draw) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw(ctx, bbox, window.devicePixelRatio || 1);
    ctx.restore();
  };
  const dashed = (ctx, x0, x1, y, colour, ratio) => {
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.3 * ratio;
    ctx.setLineDash([5 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x0, y);
    ctx.lineTo(x1, y);
    ctx.stroke();
    ctx.setLineDash([]);
  };

  const drawUnits = (plot) => inside(plot, (ctx, box, ratio) => {
    const x = (at) => plot.valToPos(at, "x", true), y = (value) => plot.valToPos(value, "y", true);
    const ground = box.top + box.height;
    const bar = (colour, left, width, value) => {
      const top = y(value);
      ctx.fillStyle = colour;
      ctx.fillRect(left, top, Math.max(width, 0.5), ground - top);
    };
    const [from, to] = [plot.scales.x.min, plot.scales.x.max];
    let place = unitAt(from);
    const finest = 1.5 * ratio;
    while (place < data.units.length && data.units[place][START] <= to) {
      const left = x(data.units[place][START]);
      let last = place;
      while (last + 1 < data.units.length && x(data.units[last][END]) - left < finest) last++;
      const width = x(data.units[last][END]) - left;
      const gap = width > 4 * ratio ? ratio : 0;
      let worst = Infinity, best = -Infinity, highest = -Infinity;
      for (let unit = place; unit <= last; unit++) {
        const score = scoreOf(data.units[unit]);
        if (score !== null) { worst = Math.min(worst, score); best = Math.max(best, score); }
        for (const take of data.units[unit][TAKES]) if (take[2] !== null) highest = Math.max(highest, take[2]);
      }
      if (highest > best) bar(colours.ghost, left, width - gap, highest);
      if (best > worst) bar(colours.spread, left, width - gap, best);
      if (worst < Infinity) bar(isBelow(worst) ? colours.below : colours.met, left, width - gap, worst);
      if (place === last && width > 3 * ratio) {
        const unit = data.units[place];
        ctx.lineWidth = 1.4 * ratio;
        unit[TAKES].forEach((take, number) => {
          if (number === unit[CHOSEN] || take[2] === null) return;
          ctx.strokeStyle = take[2] < worst ? colours["earlier-inside"] : colours.earlier;
          ctx.beginPath();
          ctx.moveTo(left, y(take[2]));
          ctx.lineTo(left + width - gap, y(take[2]));
          ctx.stroke();
        });
        if (place === cursorUnit) {
          ctx.strokeStyle = colours.ink;
          ctx.lineWidth = 1.5 * ratio;
          const top = y(Math.max(highest, worst));
          ctx.strokeRect(left, top, width - gap, ground - top + 2 * ratio);
        }
      }
      place = last + 1;
    }
    if (data.floor !== null) dashed(ctx, box.left, box.left + box.width, y(data.floor), colours.floor, ratio);
    ctx.strokeStyle = colours.chapter;
    ctx.fillStyle = colours.soft;
    ctx.font = 11 * ratio + "px " + getComputedStyle(document.body).fontFamily;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    let free = -Infinity;
    for (const [at, title] of data.chapters) {
      const left = Math.round(x(at)) + 0.5;
      ctx.lineWidth = ratio;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(left, box.top);
      ctx.lineTo(left, ground);
      ctx.stroke();
      ctx.setLineDash([]);
      const shown = [...title].length > 22 ? [...title].slice(0, 21).join("") + "…" : title;
      const width = ctx.measureText(shown).width;
      if (left + 4 * ratio >= free && left >= box.left - 1) {
        ctx.fillText(shown, left + 4 * ratio, box.top + 2 * ratio);
        free = left + width + 14 * ratio;
      }
    }
  });

  const drawRates = (plot) => inside(plot, (ctx, box, ratio) => {
    const { kilobits, limit } = data.rate;
    const x = (at) => plot.valToPos(at, "x", true), y = (value) => plot.valToPos(value, "y", true);
    const first = Math.max(0, Math.floor(plot.scales.x.min)), last = Math.min(kilobits.length, Math.ceil(plot.scales.x.max));
    const ground = box.top + box.height;
    ctx.beginPath();
    ctx.moveTo(x(first), ground);
    for (let second = first; second < last; second++) {
      const top = y(kilobits[second]);
      ctx.lineTo(x(second), top);
      ctx.lineTo(x(Math.min(second + 1, data.seconds)), top);
    }
    ctx.lineTo(x(Math.min(last, data.seconds)), ground);
    ctx.closePath();
    ctx.fillStyle = colours["rate-fill"];
    ctx.fill();
    ctx.strokeStyle = colours.rate;
    ctx.lineWidth = ratio;
    ctx.stroke();
    if (limit !== null) dashed(ctx, box.left, box.left + box.width, y(limit), colours.limit, ratio);
  });

  // Several films over each other, as steps; of what shares a pixel the lowest is drawn.
  const drawSteps = (plot, values, bounds) => inside(plot, (ctx, box, ratio) => {
    const x = (at) => plot.valToPos(at, "x", true), y = (value) => plot.valToPos(value, "y", true);
    data.films.forEach((film, number) => {
      const steps = film[values];
      if (!steps) return;
      ctx.strokeStyle = colours["s" + (number + 1)];
      ctx.lineWidth = 1.6 * ratio;
      ctx.lineJoin = "round";
      ctx.beginPath();
      for (let step = 0, begun = false; step < steps.length; step++) {
        const left = x(bounds(step));
        let lowest = steps[step];
        while (step + 1 < steps.length && x(bounds(step + 1)) - left < ratio) lowest = Math.min(lowest, steps[++step]);
        const right = x(Math.min(bounds(step + 1), data.seconds));
        if (right < box.left || left > box.left + box.width) continue;
        if (begun) ctx.lineTo(left, y(lowest)); else ctx.moveTo(left, y(lowest));
        begun = true;
        ctx.lineTo(right, y(lowest));
      }
      ctx.stroke();
    });
  });
  const drawFilmScores = (plot) => drawSteps(plot, "scores", (step) => step < data.units.length ? data.units[step][START] : data.seconds);
  const drawFilmRates = (plot) => drawSteps(plot, "kilobits", (step) => step);
  const mostKilobits = () => data.films
    ? data.films.reduce((most, film) => (film.kilobits || []).reduce((most, value) => Math.max(most, value), most), 1)
    : Math.max(data.rate.limit || 0, data.rate.kilobits.reduce((most, value) => Math.max(most, value), 0), 1);

  const scoreBounds = () => {
    let low = Infinity, high = -Infinity;
    for (const film of data.films || []) for (const score of film.scores) { low = Math.min(low, score); high = Math.max(high, score); }
    for (const unit of data.units) for (const take of unit[TAKES]) if (take[2] !== null) { low = Math.min(low, take[2]); high = Math.max(high, take[2]); }
    if (data.floor !== null) { low = Math.min(low, data.floor); high = Math.max(high, data.floor); }
    if (low > high) return null;
    const margin = Math.max((high - low) * 0.12, Math.abs(high) * 0.002);
    return [low - margin, Math.min(high + margin + (data.chapters.length ? margin : 0), data.most === null ? Infinity : Math.max(data.most, high))];
  };

  // ---- reading a place
  const readout = $("#readout");
  const show = (seconds, spoken) => {
    if (!data.units.length) return;
    cursorUnit = unitAt(seconds);
    const unit = data.units[cursorUnit];
    const [first, end, start, stop] = unit;
    const part = stop > start ? Math.min(0.999999, Math.max(0, (seconds - start) / (stop - start))) : 0;
    const frame = first + Math.floor((end - first) * part);
    readout.hidden = false;
    readout.setAttribute("aria-live", spoken ? "polite" : "off");
    const place = element("div"), takes = element("div");
    takes.tabIndex = 0;
    takes.setAttribute("role", "region");
    takes.setAttribute("aria-label", data.films ? "Films at this place" : "Takes of this unit");
    place.append(element("b", "Frame " + frame + " at " + clock(seconds)));
    const which = data.together > 1 ? "The worst of the units in frames " : "Unit " + (cursorUnit + 1) + " of " + data.units.length + ", frames ";
    place.append(element("p", which + first + "–" + (end - 1) + ", " + clock(start) + "–" + clock(stop)));
    const score = scoreOf(unit);
    if (score !== null) place.append(element("p", (data.metric || "Score") + " " + round(score) + (data.floor === null ? "" : isBelow(score) ? ", below the floor " + round(data.floor) : ", floor " + round(data.floor))));
    const second = Math.floor(seconds);
    if (data.rate && data.rate.kilobits[second] !== undefined) place.append(element("p", bitRate(data.rate.kilobits[second]) + " in this second"));
    const chapter = data.chapters.filter(([at]) => at <= seconds + 1e-6).pop();
    if (chapter) place.append(element("p", "Chapter: " + chapter[1]));
    if (data.films) {
      const table = element("table"), head = element("tr");
      for (const name of ["Film", data.metric || "Score", "Bit rate"]) {
        const cell = element("th", name);
        cell.scope = "col";
        head.append(cell);
      }
      table.createTHead().append(head);
      const body = table.createTBody();
      const best = Math.max(...data.films.map((film) => film.scores[cursorUnit]));
      for (const film of data.films) {
        const row = body.insertRow();
        if (film.scores[cursorUnit] === best) row.className = "is-chosen";
        const kilobits = film.kilobits && film.kilobits[Math.floor(seconds)];
        row.append(element("td", film.name), element("td", round(film.scores[cursorUnit])), element("td", kilobits === undefined || kilobits === null ? "–" : bitRate(kilobits)));
      }
      takes.append(table);
    }
    if (unit[TAKES].length) {
      const table = element("table"), head = element("tr");
      for (const name of ["Pass", data.quality || "Quality", data.metric || "Score", "Video", "Why"]) {
        const cell = element("th", name, name === "Why" ? "words" : "");
        cell.scope = "col";
        head.append(cell);
      }
      table.createTHead().append(head);
      const body = table.createTBody();
      unit[TAKES].forEach(([pass, quality, value, size, reason], number) => {
        const row = body.insertRow();
        if (number === unit[CHOSEN]) row.className = "is-chosen";
        const cells = [String(pass), quality === null ? "–" : round(quality), value === null ? "–" : round(value), bytes(size), data.reasons[reason] + (number === unit[CHOSEN] && unit[TAKES].length > 1 ? (data.reasons[reason] ? "; " : "") + "in the film" : "")];
        cells.forEach((text, place) => row.append(element("td", text, place === 4 ? "words" : "")));
      });
      takes.append(table);
    }
    readout.replaceChildren(place, takes);
    if (scores) scores.redraw(false, false);
  };

  // ---- zoom
  const clampView = ([from, to]) => {
    const whole = data.seconds || 1;
    const length = Math.min(whole, Math.max(to - from, Math.min(whole, 0.2)));
    const start = Math.min(Math.max(0, from), whole - length);
    return [start, start + length];
  };
  let setting = false;
  const setView = (wanted) => {
    view = clampView(wanted);
    setting = true;
    for (const plot of [scores, rates]) if (plot) plot.setScale("x", { min: view[0], max: view[1] });
    setting = false;
    placeThumbs();
  };
  const zoom = (factor, around) => {
    const at = around === undefined ? (view[0] + view[1]) / 2 : around;
    setView([at - (at - view[0]) * factor, at + (view[1] - at) * factor]);
  };

  const placeThumbs = () => {
    const strip = $(".thumbs");
    if (!scores || !strip) return;
    const left = scores.bbox.left / (window.devicePixelRatio || 1), width = scores.bbox.width / (window.devicePixelRatio || 1);
    let free = 0;
    const room = strip.clientWidth;
    for (const item of strip.children) {
      const at = +item.dataset.at, size = item.offsetWidth || 114;
      const middle = left + ((at - view[0]) / (view[1] - view[0])) * width;
      const place = Math.min(Math.max(0, middle - size / 2), Math.max(0, room - size));
      const fits = at >= view[0] - 1e-6 && at <= view[1] && place >= free;
      item.style.visibility = fits ? "visible" : "hidden";
      item.style.transform = "translateX(" + place.toFixed(1) + "px)";
      if (fits) free = place + size + 4;
    }
  };

  const widthOf = (holder) => Math.max(240, Math.floor(holder.parentElement.clientWidth));
  const timelinePlot = (holder, title, height, values, bounds, draw, label) => {
    const plot = new uPlot({
      title, width: widthOf(holder), height, legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false }, sync: { key: "timeline", scales: ["x", null] } },
      scales: { x: { time: false, range: () => view }, y: { range: () => bounds() } },
      axes: axes(label),
      series: [{}, { paths: () => null, points: { show: false } }],
      padding: [8, 22, 0, 0],
      hooks: {
        draw: [draw],
        setSelect: [(plot) => {
          if (plot.select.width < 4) return;
          const from = plot.posToVal(plot.select.left, "x"), to = plot.posToVal(plot.select.left + plot.select.width, "x");
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          setView([from, to]);
        }],
        setCursor: [(plot) => {
          if (plot.cursor.left >= 0 && plot.cursor.event) show(Math.min(plot.posToVal(plot.cursor.left, "x"), data.seconds), false);
        }],
      },
    }, values, holder);
    plot.over.addEventListener("dblclick", () => setView([0, data.seconds]));
    plot.over.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, plot.posToVal(event.offsetX, "x"));
    }, { passive: false });
    return plot;
  };

  const timelineValues = () => [[0, data.seconds], [0, 0]];
  const charts = () => {
    if (typeof uPlot === "undefined" || !(data.seconds > 0)) return;
    root.classList.add("live");
    const holder = $("#scores");
    if (scoreBounds()) {
      scores = timelinePlot(holder, (data.metric || "Score") + " of each unit", 290, timelineValues(), () => scoreBounds() || [0, 1], data.films ? drawFilmScores : drawUnits, (_, places) => places.map((place) => round(place, 3)));
    }
    if (data.rate || (data.films && data.films.some((film) => film.kilobits))) {
      rates = timelinePlot($("#rates"), "Bit rate by second", 150, timelineValues(), () => [0, mostKilobits() * 1.08], data.films ? drawFilmRates : drawRates, (_, places) => places.map((place) => place === 0 ? "0" : place >= 1000 ? round(place / 1000) + "M" : round(place) + "k"));
    }
    const table = $("#histogram");
    if (data.histogram && table) {
      const { start, width, counts, ofFrames } = data.histogram;
      histogram = new uPlot({
        width: widthOf(table), height: 230, legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        scales: { x: { time: false, range: () => [start, start + width * counts.length] }, y: { range: (_, __, most) => [0, Math.max(1, most) * 1.08] } },
        axes: [
          { stroke: () => colours.soft, font: font(), grid: { show: false }, ticks: { stroke: () => colours.line, size: 4 }, size: 28, gap: 4, space: 60, values: (_, places) => places.map((place) => round(place, 4)) },
          { stroke: () => colours.soft, font: font(), grid: { stroke: () => colours.grid, width: 1 }, ticks: { show: false }, size: 52, gap: 6, space: 34, values: (_, places) => places.map((place) => round(place, 0)) },
        ],
        series: [{}, { paths: () => null, points: { show: false } }],
        padding: [8, 22, 0, 0],
        hooks: {
          draw: [(plot) => inside(plot, (ctx, box, ratio) => counts.forEach((count, bin) => {
            const left = plot.valToPos(start + bin * width, "x", true), right = plot.valToPos(start + (bin + 1) * width, "x", true);
            const top = plot.valToPos(count, "y", true);
            ctx.fillStyle = !isBelow(start + (bin + 0.5) * width) ? colours.met : ofFrames ? colours.spread : colours.below;
            ctx.fillRect(left, top, Math.max(1, right - left - ratio), box.top + box.height - top);
          }))],
          setCursor: [(plot) => {
            const bin = Math.floor((plot.posToVal(plot.cursor.left, "x") - start) / width);
            const shown = plot.cursor.left >= 0 && counts[bin] !== undefined;
            table.title = shown ? counts[bin] + " frames from " + round(start + bin * width, 4) + " to " + round(start + (bin + 1) * width, 4) : "";
          }],
        },
      }, [counts.map((_, bin) => start + (bin + 0.5) * width), counts], table);
      for (const canvas of all("canvas", table)) canvas.setAttribute("aria-hidden", "true");
    }
    for (const hidden of all("#timeline .tools, #timeline .hint, [data-show]")) hidden.hidden = false;
    if (scores) {
      holder.tabIndex = 0;
      holder.setAttribute("role", "group");
      holder.setAttribute("aria-label", "Timeline: arrow keys move from unit to unit, plus and minus zoom, 0 shows the whole film");
      for (const canvas of all("canvas")) canvas.setAttribute("aria-hidden", "true");
      holder.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (step !== undefined) {
          const next = Math.min(data.units.length - 1, Math.max(0, cursorUnit + step));
          const middle = (data.units[next][START] + data.units[next][END]) / 2;
          if (middle < view[0] || middle > view[1]) setView([middle - (view[1] - view[0]) / 2, middle + (view[1] - view[0]) / 2]);
          show(middle, true);
        } else if (event.key === "+" || event.key === "=") zoom(0.5, cursorUnit < 0 ? undefined : (data.units[cursorUnit][START] + data.units[cursorUnit][END]) / 2);
        else if (event.key === "-" || event.key === "−") zoom(2);
        else if (event.key === "0" || event.key === "Escape") setView([0, data.seconds]);
        else return;
        event.preventDefault();
      });
    }
    placeThumbs();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.zoom === "in") zoom(0.5);
    if (button.dataset.zoom === "out") zoom(2);
    if (button.dataset.zoom === "all") setView([0, data.seconds]);
    if (button.dataset.show !== undefined) {
      const at = +button.dataset.show, length = Math.min(data.seconds, Math.max(20, data.seconds / 50));
      setView([at - length / 2, at + length / 2]);
      show(at, true);
      $("#timeline").scrollIntoView();
      $("#scores").focus({ preventScroll: true });
    }
  });
  const redraw = () => { readColours(); for (const plot of [scores, rates, histogram]) if (plot) plot.redraw(false, true); };
  readColours();
  pictures();
  charts();
  let width = root.clientWidth;
  window.addEventListener("resize", () => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    for (const plot of [scores, rates, histogram]) if (plot) plot.setSize({ width: widthOf(plot.root.parentElement), height: plot.height });
    placeThumbs();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  for (const image of all(".thumbs img")) if (!image.complete) image.addEventListener("load", placeThumbs);

  // ---- while the work goes on: whoever served this page has its next state at the same address
  if (document.body.hasAttribute("data-live")) {
    const swap = (page, selector) => {
      const [old, fresh] = [$(selector), $(selector, page)];
      if (old && fresh && old.innerHTML !== fresh.innerHTML) old.replaceWith(document.adoptNode(fresh));
    };
    const follow = async () => {
      let page;
      try {
        const answer = await fetch(location.href, { cache: "no-store" });
        if (!answer.ok) throw new Error(String(answer.status));
        page = new DOMParser().parseFromString(await answer.text(), "text/html");
      } catch {
        $(".kicker").textContent = "Retake report: the work has ended or was stopped, and this is what it had come to";
        return;
      }
      const whole = view[0] <= 0 && view[1] >= data.seconds;
      data = read(page);
      for (const part of ["header", "#work", "#settings", "#notes", "#timeline details"]) swap(page, part);
      const drawn = scores && rates;
      if (!drawn && data.seconds > 0 && scoreBounds()) {
        for (const plot of [scores, rates, histogram]) if (plot) plot.destroy();
        scores = rates = histogram = null;
        view = [0, data.seconds];
        charts();
      }
      setView(whole ? [0, data.seconds] : view);
      redraw();
      if (page.body.hasAttribute("data-live")) setTimeout(follow, 2000);
    };
    setTimeout(follow, 1000);
  }
})();
