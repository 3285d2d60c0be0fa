// What a verified manifest says, for people and for scripts. Pure.
#ifndef CARNET_CLI_MANIFEST_VIEW_H_
#define CARNET_CLI_MANIFEST_VIEW_H_

#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "ledger/verifier/manifest.h"

namespace carnet::cli {

// good, bad-evidence, cannot-decide, misbehaviour.
const char* VerdictName(ledger::verifier::Verdict verdict);
// A release in one line: who it is to, where that person works and for whom, when, under which
// revision of the policies, and the index of its record.
std::string ReleaseText(const ledger::verifier::ModelRelease& release);
// The same and the digest of the policies, as one object (docs/commands.md).
nlohmann::json ReleaseJson(const ledger::verifier::ModelRelease& release);
// One object (docs/commands.md).
nlohmann::json ManifestJson(const ledger::verifier::ManifestReport& report);
// Who, what, where, under which policy, index, head with a time per witness: what the verification
// learned before it ended.
std::string ManifestFacts(const ledger::verifier::ManifestReport& report);
// The first check that failed, expected against actual; empty: none did.
std::string ManifestFailure(const CommandContext& context,
                            const ledger::verifier::ManifestReport& report);

}  // namespace carnet::cli

#endif  // CARNET_CLI_MANIFEST_VIEW_H_
