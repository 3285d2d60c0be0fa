// What the tests of base/http_* share.
#ifndef CARNET_TESTS_UNIT_BASE_HTTP_FIXTURE_H_
#define CARNET_TESTS_UNIT_BASE_HTTP_FIXTURE_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "base/files.h"
#include "base/http_client.h"
#include "base/http_server.h"

namespace carnet {

inline HttpResponse Text(std::string text) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(text);
  return response;
}

inline HttpResponse Echo(const HttpRequest& request) {
  HttpResponse response =
      Text(request.method + " " + request.path + "?" + request.query + " " + request.body);
  response.headers.emplace_back("X-Seen", std::string(request.Header("x-sent")));
  return response;
}

inline HttpCallOptions CallTo(const HttpServer& server) {
  HttpCallOptions options;
  options.port = server.port();
  return options;
}

// A connection of bytes, for what the client would never send.
class RawConnection {
 public:
  explicit RawConnection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    // Only so that a broken server fails the test instead of holding it.
    const timeval limit{20, 0};
    REQUIRE(setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
  }
  void Send(const std::string& text) {
    REQUIRE(send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  // Everything until the server ends the connection.
  std::string ReadAll() {
    std::string text;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = recv(fd_.get(), buffer, sizeof(buffer), 0)) > 0) {
      text.append(buffer, static_cast<std::size_t>(count));
    }
    ended_ = count == 0;
    return text;
  }
  bool ended() const { return ended_; }
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  bool ended_ = false;
};

}  // namespace carnet

#endif  // CARNET_TESTS_UNIT_BASE_HTTP_FIXTURE_H_
