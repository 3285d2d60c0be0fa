// What leaves home for people goes through here: statements under a reading on record (flow
// read_log), models and manifests under a release on record (flow release_model). Both are decided
// again with today's policies and facts before anything moves.
#ifndef CARNET_COORDINATOR_RPC_PEOPLE_GATE_H_
#define CARNET_COORDINATOR_RPC_PEOPLE_GATE_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "coordinator/rpc/services.h"

namespace carnet::coordinator {

// OK: go on. Else what the call is finished with: PERMISSION_DENIED when policies refuse, with
// reason ids in the message and the decisions in the details (RefusalDetails); NOT_FOUND,
// PERMISSION_DENIED of the job; RESOURCE_EXHAUSTED, UNAVAILABLE: later. On any thread.
using Passed = absl::AnyInvocable<void(grpc::Status status)>;

// Statements go to the person: under his live reading, or under a new one, which is decided and on
// record first.
void PassReading(const Services& services, const std::string& user_id, Passed passed);

// A model of the job, or its manifest, goes to the person: under a live release alone, which
// ReleaseModel makes. round 0: the newest.
void PassRelease(const Services& services, const std::string& user_id, const std::string& job_id,
                 std::uint32_t round, Passed passed);

// Decides release_model and puts release or refusal on record. OUT_OF_RANGE: the published head
// does not cover the model yet, try again when the witnesses have cosigned a newer one.
// FAILED_PRECONDITION: the clock is not trusted.
void ReleaseModelFor(const Services& services, const std::string& user_id,
                     const v1::ReleaseModelRequest* request, v1::ReleaseModelResponse* response,
                     grpc::ServerUnaryReactor* reactor);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_PEOPLE_GATE_H_
