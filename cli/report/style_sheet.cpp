#include "cli/report/style_sheet.h"

namespace errata::report {

const std::string_view kStyleSheet = R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f7f8fa; --ink: #1c2430; --quiet: #5a6675; --rule: #d7dce3; --grid: #e6e9ee; --link: #005a9c;
  --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b65a93; --s4: #b07d00; --s5: #3a9bd0;
  --green: #00724f; --green-tint: #e3f4ed; --amber: #8a5a00; --amber-tint: #fdf2da; --red: #b3261e; --red-tint: #fce8e6;
  --none-tint: #eef0f3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181e; --card: #1c222a; --ink: #e6eaf0; --quiet: #a2adba; --rule: #3a434f; --grid: #2b323c; --link: #7cc0f0;
    --s0: #58aee0; --s1: #ff8c42; --s2: #2fc79a; --s3: #e39ac6; --s4: #e6b23c; --s5: #9bd4f5;
    --green: #5fd3a8; --green-tint: #14342a; --amber: #f0c060; --amber-tint: #3a2e12; --red: #ff9a90; --red-tint: #441d1a;
    --none-tint: #252c35;
  }
}
@media print {
  :root {
    --paper: #ffffff; --card: #ffffff; --ink: #000000; --quiet: #444444; --rule: #bbbbbb; --grid: #e2e2e2; --link: #000000;
    --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b65a93; --s4: #b07d00; --s5: #3a9bd0;
    --green: #00724f; --green-tint: #e3f4ed; --amber: #8a5a00; --amber-tint: #fdf2da; --red: #b3261e; --red-tint: #fce8e6;
    --none-tint: #eeeeee;
  }
  body { font-size: 10.5pt; }
  figure, tr, .verdict { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5; font-size: 16px; -webkit-text-size-adjust: 100%;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; line-height: 1.25; margin: 56px 0 4px; padding-top: 14px; border-top: 1px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 28px 0 6px; }
p { margin: 8px 0; max-width: 74ch; }
a { color: var(--link); }
code { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.88em; }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: 10px 12px; overflow-x: auto; font-size: 0.8rem; }
summary { cursor: pointer; margin: 10px 0; }
.lead, .subtitle, figcaption, .caption { color: var(--quiet); }
.missing, .note { background: var(--none-tint); border-radius: 6px; padding: 10px 14px; }
.note { background: var(--amber-tint); border-left: 4px solid var(--amber); max-width: none; }
.path { display: flex; flex-wrap: wrap; gap: 6px; margin: 16px 0; padding: 0; list-style: none; font-size: 0.86rem; }
.path li { display: flex; align-items: center; gap: 6px; }
.path li + li::before { content: "→"; color: var(--quiet); }
.path a { display: block; border: 1px solid var(--rule); border-radius: 14px; padding: 2px 10px; text-decoration: none; background: var(--card); }
.path a.absent { border-style: dashed; color: var(--quiet); }
.verdict { border-radius: 8px; padding: 16px 20px; margin: 18px 0; border-left: 8px solid var(--quiet); background: var(--none-tint); }
.verdict p { margin: 4px 0 0; }
.verdict .word { font-size: 1.25rem; font-weight: 700; margin: 0; }
.green { --status: var(--green); } .inconclusive { --status: var(--amber); } .red { --status: var(--red); }
.verdict.green { border-color: var(--green); background: var(--green-tint); }
.verdict.inconclusive { border-color: var(--amber); background: var(--amber-tint); }
.verdict.red { border-color: var(--red); background: var(--red-tint); }
.verdict .word, .status { color: var(--status, var(--quiet)); }
.status { font-weight: 650; white-space: nowrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 26px 32px; margin: 18px 0; align-items: start; }
figure { margin: 0; min-width: 0; max-width: 620px; }
figcaption { font-size: 0.86rem; margin-top: 4px; max-width: 64ch; }
.table { margin: 18px 0; min-width: 0; }
.figures .table { margin: 0; }
.figures .table td.n { white-space: normal; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
.caption { font-size: 0.88rem; margin: 0 0 4px; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--grid); vertical-align: top; }
th { border-bottom: 1px solid var(--rule); font-weight: 600; vertical-align: bottom; }
th.n, td.n { text-align: right; white-space: nowrap; }
tr.chosen td { font-weight: 650; }
td.group { font-weight: 650; padding-top: 16px; border-bottom-color: var(--rule); }
td .advice { display: block; color: var(--quiet); font-size: 0.94em; max-width: 60ch; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg.bullet { width: 150px; display: inline-block; vertical-align: middle; }
svg text { font-size: 12px; fill: var(--ink); }
svg text.tick { fill: var(--quiet); }
svg text.label { font-weight: 600; }
.grid { stroke: var(--grid); stroke-width: 1; fill: none; }
.axis { stroke: var(--quiet); stroke-width: 1; fill: none; }
.ink { --c: var(--quiet); }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); } .s4 { --c: var(--s4); } .s5 { --c: var(--s5); }
.line, .whisker { stroke: var(--c); fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.whisker { stroke-width: 1.3; }
.ink.line { stroke-width: 1.1; }
.median { stroke-width: 3; }
.dashed { stroke-dasharray: 5 4; }
.mark { fill: var(--c); stroke: var(--paper); stroke-width: 0.7; }
.dots { stroke: var(--c); stroke-width: 4.4; stroke-linecap: round; fill: none; stroke-opacity: 0.7; }
.dots.fine { stroke-width: 2.6; stroke-opacity: 0.65; }
.area { fill: var(--c); fill-opacity: 0.18; stroke: none; }
.bar { fill: var(--c); fill-opacity: 0.85; }
.box { fill: var(--c); fill-opacity: 0.2; stroke: var(--c); stroke-width: 1.3; }
.cells { shape-rendering: crispEdges; }
.swatch { stroke: var(--quiet); stroke-width: 0.7; }
svg text.name { fill: var(--c); font-weight: 600; }
.stroke-status { stroke: var(--status, var(--quiet)); stroke-width: 2.4; fill: none; }
.fill-status { fill: var(--status, var(--quiet)); }
.tolerance { fill: var(--quiet); fill-opacity: 0.2; }
@media (max-width: 520px) { main { padding: 16px 14px 48px; } h1 { font-size: 1.4rem; } h2 { margin-top: 40px; }
  table { font-size: 0.8rem; } th, td { padding-right: 10px; } th.n { white-space: normal; } th { line-height: 1.25; } }
)css";

}  // namespace errata::report
