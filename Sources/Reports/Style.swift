/// The page's looks: the reader's own light or dark, and plain on paper.
let style: StaticString = """
    :root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --rule: #d1d9e0; --page: #fff; --mark: #b35900;
      --c0: #0a63c9; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce; --c4: #a16207; }
    @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --rule: #3a424c; --page: #0d1117;
      --mark: #f0b429; --c0: #58a6ff; --c1: #ff8f5e; --c2: #4ac26b; --c3: #c297ff; --c4: #d4a72c; } }
    body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
    main { max-width: 52rem; margin: 0 auto; padding: 1.5rem; }
    h1 { overflow-wrap: anywhere; margin: 0; } h2 { margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--rule); }
    h3 { margin: 1.2rem 0 .2rem; font-size: 1rem; } .answer { font-size: 1.3rem; font-weight: 600; margin: .4rem 0; }
    .note, figcaption { color: var(--soft); } .scroll { overflow-x: auto; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
    th, td { text-align: left; vertical-align: top; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid var(--rule); }
    td { overflow-wrap: anywhere; } th { font-weight: 600; white-space: nowrap; } .n { text-align: right; white-space: nowrap; } .w { white-space: nowrap; }
    .warnings { border-left: 3px solid var(--mark); margin: .8rem 0; padding: .2rem 0 .2rem 1.8rem; }
    figure { margin: .4rem 0 1rem; } svg { width: 100%; height: auto; max-width: 44rem; } svg text { fill: var(--ink); font-size: 12px; }
    svg .tick { fill: var(--soft); } svg .value { font-size: 11px; } .grid { stroke: var(--rule); stroke-width: 1; }
    .axis { stroke: var(--soft); stroke-width: 1; fill: none; } .curve { fill: none; stroke-width: 1.8; }
    .curve.s0 { stroke: var(--c0); } .curve.s1 { stroke: var(--c1); } .curve.s2 { stroke: var(--c2); }
    .curve.s3 { stroke: var(--c3); } .curve.s4 { stroke: var(--c4); }
    .dot.s0 { fill: var(--c0); } .dot.s1 { fill: var(--c1); } .dot.s2 { fill: var(--c2); } .dot.s3 { fill: var(--c3); }
    .dot.s4 { fill: var(--c4); } .k0 { color: var(--c0); } .k1 { color: var(--c1); } .k2 { color: var(--c2); }
    .k3 { color: var(--c3); } .k4 { color: var(--c4); }
    .cell { fill: var(--c0); } .marked { stroke: var(--mark); stroke-width: 3; } svg .strong { fill: var(--page); font-weight: 600; }
    @media print { main { max-width: none; padding: 0; } section, figure, tr { break-inside: avoid; } .scroll { overflow: visible; }
      body { font-size: 10pt; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
    """
