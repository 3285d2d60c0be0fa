// What a worker remembers of the policies that it followed, as JSON:
//   {"approvals":[{"approver","expires","held","index","kind","nonce","report","role","subject","used"}],
//    "authors":{hex:id},"bundle":text,"followed":n,"genesis":hex,
//    "history":[{"from","index","revision","sha256","since","to"}],"last":time,
//    "people":{id:{"key","revoked","roles","terms":[[role,from,until]]}},
//    "proposals":[{"author","bundle","index","intent","parent","report","revision","roles","sha256"}],
//    "v":3,"withdrawn":[hex]}
// Bytes are hex, times microseconds since 1970.
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "worker/core/policy_chain.h"

namespace carnet::worker {
namespace {

using nlohmann::json;

json TimeJson(absl::Time time) {
  return absl::ToUnixMicros(time);
}
absl::Time TimeOf(const json& micros) {
  return absl::FromUnixMicros(micros.get<std::int64_t>());
}

json InForceJson(const PolicyChain::InForce& bundle) {
  return {{"index", bundle.index},
          {"sha256", HexEncode(bundle.sha256)},
          {"revision", bundle.revision},
          {"since", TimeJson(bundle.since)},
          {"from", TimeJson(bundle.valid_from)},
          {"to", TimeJson(bundle.valid_to)}};
}

json ApprovalJson(std::uint64_t index, const PolicyChain::Approval& approval) {
  return {{"index", index},
          {"approver", approval.approver},
          {"kind", approval.kind},
          {"subject", HexEncode(approval.subject_sha256)},
          {"report", HexEncode(approval.report_sha256)},
          {"role", approval.role},
          {"expires", TimeJson(approval.expires)},
          {"held", approval.held},
          {"nonce", HexEncode(approval.nonce)},
          {"used", approval.used}};
}

json ProposalJson(const std::string& sha256, const PolicyChain::Proposal& proposal) {
  return {{"sha256", HexEncode(AsBytes(sha256))},
          {"index", proposal.index},
          {"author", proposal.author},
          {"roles", proposal.author_roles},
          {"intent", proposal.intent},
          {"revision", proposal.revision},
          {"parent", HexEncode(proposal.parent_sha256)},
          {"bundle", proposal.bundle_json},
          {"report", HexEncode(proposal.report_sha256)}};
}

// Takes values out of what was saved. nlohmann::json throws what Restore catches; what is no hex is
// noted here.
class Reader {
 public:
  bool good() const { return good_; }

  Bytes BytesOf(const json& hex) {
    absl::StatusOr<Bytes> bytes = HexDecode(hex.get<std::string>());
    good_ = good_ && bytes.ok();
    return bytes.ok() ? *std::move(bytes) : Bytes();
  }
  Digest DigestOf(const json& hex) {
    const absl::StatusOr<Digest> digest = DigestFromHex(hex.get<std::string>());
    good_ = good_ && digest.ok();
    return digest.ok() ? *digest : Digest{};
  }
  PolicyChain::InForce InForceOf(const json& item) {
    return {item.at("index").get<std::uint64_t>(),
            DigestOf(item.at("sha256")),
            item.at("revision").get<std::uint64_t>(),
            TimeOf(item.at("since")),
            TimeOf(item.at("from")),
            TimeOf(item.at("to"))};
  }
  PolicyChain::Person PersonOf(const json& item) {
    PolicyChain::Person person{BytesOf(item.at("key")),
                               item.at("roles").get<std::set<std::string>>(),
                               item.at("revoked").get<bool>()};
    for (const json& term : item.at("terms")) {
      person.terms.push_back({term.at(0).get<std::string>(), term.at(1).get<std::uint64_t>(),
                              term.at(2).get<std::uint64_t>()});
    }
    return person;
  }
  PolicyChain::Approval ApprovalOf(const json& item) {
    return {item.at("approver").get<std::string>(),
            item.at("kind").get<std::string>(),
            BytesOf(item.at("subject")),
            BytesOf(item.at("report")),
            item.at("role").get<std::string>(),
            TimeOf(item.at("expires")),
            item.at("held").get<bool>(),
            BytesOf(item.at("nonce")),
            item.at("used").get<bool>()};
  }
  PolicyChain::Proposal ProposalOf(const json& item) {
    return {item.at("index").get<std::uint64_t>(),         item.at("author").get<std::string>(),
            item.at("roles").get<std::set<std::string>>(), item.at("intent").get<std::string>(),
            item.at("revision").get<std::uint64_t>(),      BytesOf(item.at("parent")),
            item.at("bundle").get<std::string>(),          BytesOf(item.at("report"))};
  }

 private:
  bool good_ = true;
};

}  // namespace

std::string PolicyChain::Save() const {
  json saved = {{"v", 3},
                {"genesis", HexEncode(genesis_leaf_)},
                {"followed", followed_},
                {"bundle", bundle_->CanonicalJson()},
                {"history", json::array()},
                {"people", json::object()},
                {"approvals", json::array()},
                {"proposals", json::array()},
                {"authors", json::object()},
                {"withdrawn", json::array()},
                {"last", TimeJson(last_)}};
  for (const InForce& bundle : history_) {
    saved["history"].push_back(InForceJson(bundle));
  }
  for (const auto& [id, person] : people_) {
    json terms = json::array();
    for (const Term& term : person.terms) {
      terms.push_back(json::array({term.role, term.from, term.until}));
    }
    saved["people"][id] = {{"key", HexEncode(person.public_key)},
                           {"roles", person.roles},
                           {"revoked", person.revoked},
                           {"terms", std::move(terms)}};
  }
  for (const auto& [index, approval] : approvals_) {
    saved["approvals"].push_back(ApprovalJson(index, approval));
  }
  for (const auto& [sha256, proposal] : proposals_) {
    saved["proposals"].push_back(ProposalJson(sha256, proposal));
  }
  for (const auto& [subject, author] : exception_authors_) {
    saved["authors"][HexEncode(AsBytes(subject))] = author;
  }
  for (const std::string& sha256 : withdrawn_) {
    saved["withdrawn"].push_back(HexEncode(AsBytes(sha256)));
  }
  return saved.dump();
}

absl::StatusOr<PolicyChain> PolicyChain::Restore(const Record& genesis, absl::string_view text) {
  CARNET_ASSIGN_OR_RETURN(PolicyChain chain, Create(genesis));
  const absl::Status damaged =
      absl::DataLossError("policies: what this worker remembers of them cannot be read");
  const absl::StatusOr<json> saved = ParseJson(text, kChainBytesMax, 8);
  if (!saved.ok()) {
    return WithOperatorDetail(damaged, saved.status().message());
  }
  Reader read;
  try {
    if (saved->at("v") != 3 || read.DigestOf(saved->at("genesis")) != chain.genesis_leaf_) {
      return WithOperatorDetail(damaged, "it is of another version or log");
    }
    chain.followed_ = saved->at("followed").get<std::uint64_t>();
    chain.last_ = TimeOf(saved->at("last"));
    chain.history_.clear();
    for (const json& item : saved->at("history")) {
      chain.history_.push_back(read.InForceOf(item));
    }
    for (const auto& item : saved->at("people").items()) {
      chain.people_[item.key()] = read.PersonOf(item.value());
    }
    for (const json& item : saved->at("approvals")) {
      chain.approvals_[item.at("index").get<std::uint64_t>()] = read.ApprovalOf(item);
    }
    for (const json& item : saved->at("proposals")) {
      chain.proposals_[ToString(read.DigestOf(item.at("sha256")))] = read.ProposalOf(item);
    }
    chain.exception_authors_.clear();  // those of genesis: some may have gone since
    for (const auto& item : saved->at("authors").items()) {
      chain.exception_authors_[ToString(read.DigestOf(item.key()))] =
          item.value().get<std::string>();
    }
    for (const json& item : saved->at("withdrawn")) {
      chain.withdrawn_.insert(ToString(read.DigestOf(item)));
    }
    auto bundle = policies::BundleFromJson(saved->at("bundle").get<std::string>());
    if (!bundle.ok()) {
      return WithOperatorDetail(damaged, bundle.status().message());
    }
    chain.bundle_ = *std::move(bundle);
  } catch (const std::exception& error) {
    return WithOperatorDetail(damaged, error.what());
  }
  if (!read.good() || chain.history_.empty() || chain.history_.front().index != 0 ||
      chain.history_.back().sha256 != chain.bundle_->sha256() ||
      chain.followed_ <= chain.history_.back().index) {
    return WithOperatorDetail(damaged, "its digests or its bundle are not what it says");
  }
  return chain;
}

}  // namespace carnet::worker
