#include "coordinator/audit/findings.h"

#include <algorithm>
#include <utility>

namespace carnet::coordinator::audit {
namespace {

void Shorten(std::string& text) {
  if (text.size() <= kFindingTextBytesMax) {
    return;
  }
  std::size_t end = kFindingTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
    --end;  // never in the middle of a character
  }
  text.resize(end);
  text += "…";
}

}  // namespace

const char* NameOf(Severity severity) {
  switch (severity) {
    case Severity::kGap:
      return "gap";
    case Severity::kBadEvidence:
      return "bad evidence";
    case Severity::kMisbehaviour:
      return "misbehaviour";
    case Severity::kNote:
      break;
  }
  return "note";
}

void Findings::Add(Finding finding) {
  any_ = true;
  worst_ = std::max(worst_, finding.severity);
  Shorten(finding.expected);
  Shorten(finding.actual);
  if (list_.size() < kFindingsMax) {
    list_.push_back(std::move(finding));
    return;
  }
  ++left_out_;
  // A graver one takes the place of the newest that is less grave.
  const auto lesser = std::find_if(list_.rbegin(), list_.rend(), [&finding](const Finding& other) {
    return other.severity < finding.severity;
  });
  if (lesser != list_.rend()) {
    *lesser = std::move(finding);
  }
}

void Findings::MoveInto(Report& report) {
  std::stable_sort(list_.begin(), list_.end(), [](const Finding& a, const Finding& b) {
    return a.severity != b.severity ? a.severity > b.severity : a.index < b.index;
  });
  report.findings = std::move(list_);
  report.findings_left_out = left_out_;
}

}  // namespace carnet::coordinator::audit
