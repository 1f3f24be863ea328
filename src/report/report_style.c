// SPDX-License-Identifier: Apache-2.0
// The page's style sheet. Drawings use its colours (drawing.c): --c0 to --c6 of runs, told apart by colour-blind people
// (the palette of Okabe and Ito, lighter where the page is dark), --quiet of text, --axis, --line of the grid.
#include "report/page.h"

const char *const ssti_report_style[] = {
    ":root{--paper:#fdfdfb;--raised:#f5f5f1;--ink:#1d1f24;--quiet:#5c616b;--axis:#9a9ea6;--line:#e2e2dc;--link:#0a5f9e;"
    "--mark:#fff1c2;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b8578c;--c4:#b87d00;--c5:#3a9fd4;--c6:#6b6f78;"
    "--serif:'Iowan Old Style','Palatino Linotype',Palatino,'Book Antiqua',Georgia,serif;"
    "--sans:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;"
    "--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}\n",
    "@media (prefers-color-scheme:dark){:root{--paper:#15171b;--raised:#1e2126;--ink:#e6e6e1;--quiet:#a3a8b1;"
    "--axis:#6c727c;--line:#2d3138;--link:#7cc0f0;--mark:#4a3f14;--c0:#4aa8e0;--c1:#f2894a;--c2:#35c79b;--c3:#e39bc3;"
    "--c4:#e8b54a;--c5:#8fd0f2;--c6:#b4b8c0}}\n",
    "*{box-sizing:border-box}\n",
    "html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}\n",
    "body{margin:0 auto;max-width:1180px;padding:0 clamp(16px,4vw,40px) 48px;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 var(--sans)}\n",
    "header{padding-top:clamp(28px,6vw,64px)}\n",
    ".over{margin:0;color:var(--quiet);font-size:13px;letter-spacing:.08em;text-transform:uppercase}\n",
    "h1{margin:.1em 0 .5em;font:400 clamp(26px,4.6vw,42px)/1.2 var(--serif)}\n",
    "h1,p,li,dd,figcaption,summary{overflow-wrap:anywhere}\n",
    "h1 .and{color:var(--axis)}\n",
    "h2{margin:0 0 .5em;font:400 25px/1.25 var(--serif)}\n",
    "nav{display:flex;flex-wrap:wrap;gap:4px 18px;padding:10px 0;border-block:1px solid var(--line);font-size:15px}\n",
    "a{color:var(--link);text-decoration-thickness:1px;text-underline-offset:3px}nav a{text-decoration:none}"
    "nav a:hover{text-decoration:underline}\n",
    "section{margin-top:52px;scroll-margin-top:16px}\n",
    ".note{color:var(--quiet);font-size:14.5px;max-width:70ch}\n",
    ".scroll{overflow-x:auto;max-width:100%;-webkit-overflow-scrolling:touch}\n",
    ".scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:2px}\n",
    "table{border-collapse:collapse;font-size:14.5px;font-variant-numeric:tabular-nums;min-width:min(100%,320px)}\n",
    "th,td{padding:7px 14px 7px 0;text-align:right;vertical-align:baseline;white-space:nowrap}\n",
    "th:last-child,td:last-child{padding-right:2px}\n",
    "th:first-child,.word,thead th.word,thead th:first-child{text-align:left}\n",
    ".word{white-space:normal;min-width:7em}\n",
    "thead "
    "th{color:var(--quiet);font-weight:500;font-size:13px;line-height:1.3;vertical-align:bottom;white-space:normal;"
    "min-width:5.5em;border-bottom:1px solid var(--axis)}\n",
    "tbody th{font-weight:600}tbody tr+tr>*{border-top:1px solid var(--line)}\n",
    "td small{color:var(--quiet);margin-left:3px}\n",
    "i.mark,i.dash,i.box{font-style:normal;display:inline-block;margin-right:8px}\n",
    "i.mark{width:1em;text-align:center}\n",
    "i.box{width:12px;height:12px;border-radius:2px;background:currentColor;vertical-align:-1px}\n",
    "i.dash{width:30px;height:3px;vertical-align:4px;background:currentColor}\n",
    "i.d1.dash{background:repeating-linear-gradient(90deg,currentColor 0 8px,transparent 8px 11px)}\n",
    "i.d2.dash{background:repeating-linear-gradient(90deg,currentColor 0 3px,transparent 3px 6px)}\n",
    "i.d3.dash{background:repeating-linear-gradient(90deg,currentColor 0 9px,transparent 9px 12px,currentColor 12px "
    "15px,transparent 15px 18px)}\n",
    ".k0{color:var(--c0)}.k1{color:var(--c1)}.k2{color:var(--c2)}.k3{color:var(--c3)}.k4{color:var(--c4)}"
    ".k5{color:var(--c5)}.k6{color:var(--c6)}\n",
    ".legend{display:flex;flex-wrap:wrap;gap:2px 20px;margin:0 0 12px;padding:0;list-style:none;font-size:14.5px}\n",
    ".figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr));gap:28px 40px}\n",
    ".figures.wide{grid-template-columns:minmax(0,600px)}\n",
    "figure{margin:0;min-width:0}\n",
    "figcaption{margin-bottom:6px;font-weight:600;font-size:15px}\n",
    "figure .legend{font-size:13.5px;margin-bottom:4px}\n",
    ".drawing{display:block;width:100%;height:auto;font-family:var(--sans);font-variant-numeric:tabular-nums}\n",
    "details>summary{cursor:pointer;width:fit-content;max-width:100%;padding:4px 0}\n",
    ".numbers>summary{color:var(--quiet);font-size:13px}.numbers .scroll{max-height:340px;overflow-y:auto}\n",
    "details.run{border-top:1px solid var(--line);padding:8px 0}details.run>summary{font-weight:600}\n",
    "details.run .figures{margin-top:22px}\n",
    "#energy>details{margin-top:8px}#energy .figures.wide{margin-bottom:20px}\n",
    "h3{margin:0 0 8px;font-size:15px}.pictures{display:flex;flex-wrap:wrap;gap:14px 18px;margin:0;padding:0;"
    "list-style:none;font-size:13px;line-height:1.35}.pictures img{image-rendering:pixelated;border:1px solid "
    "var(--line)}\n",
    "dl.models dt{font-weight:600;margin-top:10px}dl.models dd{margin:0;max-width:75ch}\n",
    "pre{background:var(--raised);padding:14px 16px;border-radius:6px;font:13px/1.5 var(--mono);margin:8px 0}\n",
    "code{font:13.5px var(--mono)}\n",
    "mark{background:var(--mark);color:inherit;padding:1px 3px;margin:0 -3px;border-radius:3px}\n",
    "footer{margin-top:64px;padding-top:12px;border-top:1px solid var(--line);color:var(--quiet);font-size:13.5px}\n",
    "@media print{:root{--paper:#fff;--raised:#f5f5f1;--ink:#000;--quiet:#444;--axis:#888;--line:#ddd;--link:#000;"
    "--mark:#fff1c2;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b8578c;--c4:#b87d00;--c5:#3a9fd4;--c6:#6b6f78}"
    "body{max-width:none;padding:0;font-size:10.5pt}nav,.numbers{display:none}section{margin-top:24pt}"
    "figure,tr{break-inside:avoid}h2{break-after:avoid}.scroll{overflow:visible;max-height:none}"
    "table{font-size:8.5pt}th,td{white-space:normal}.figures{grid-template-columns:1fr 1fr;gap:14pt}}\n",
    NULL};
