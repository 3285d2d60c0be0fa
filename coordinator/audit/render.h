// A report as text, JSON and HTML. Pure. What a record says is data: the text form keeps control
// characters out of a terminal, HTML escapes everything.
#ifndef CARNET_COORDINATOR_AUDIT_RENDER_H_
#define CARNET_COORDINATOR_AUDIT_RENDER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "coordinator/audit/report.h"

namespace carnet::coordinator::audit {

// "good", "bad evidence", "cannot decide", "misbehaviour".
const char* NameOf(ledger::verifier::Verdict verdict);

// For a terminal or a file: what was audited, the findings, the verdict, what it does not prove.
std::string ToText(const Report& report);

// One object in one line; docs/formats.md names its members. Times are RFC 3339 in UTC, digests
// hex.
std::string ToJsonText(const Report& report);

// One page that needs nothing else: no scripts, no links, no fonts, styles inline, and a policy
// that forbids loading any.
std::string ToHtml(const Report& report);

// `text` with control characters, and those that change the direction of writing, as \u{…}.
std::string Printable(absl::string_view text);
// `text` with & < > " ' as entities, after Printable.
std::string EscapeHtml(absl::string_view text);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_RENDER_H_
