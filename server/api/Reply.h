// A reply in the making: engine events in, OpenAI's JSON out, as chunks of a stream or as one object. What
// chat and completions share; ChatReply and CompletionReply fill in their shapes.
#pragma once

#include "server/api/Choice.h"

#include <boost/json/array.hpp>

namespace kimi::api {

class Reply {
public:
  virtual ~Reply() = default;

  bool streams() const { return generation.stream; }
  /// One engine request per choice, in the order of the choices. Call once.
  std::vector<schedule::Request> takeRequests() { return std::move(requests); }

  /// Digests an event of one choice. When streaming, appends the chunks (JSON texts) it gives.
  void push(size_t choice, const schedule::Event &event, std::vector<std::string> &chunks);
  bool hitStopString(size_t choice) const { return choices[choice].hitStopString(); }
  bool isDone() const;
  /// The first choice's that failed.
  std::optional<ApiError> error() const;

  /// When done and not streaming.
  boost::json::object whole() const;
  /// When done and streaming: the usage chunk, if the client asked for it.
  std::optional<std::string> usageChunk() const;

protected:
  Reply(const ServedModel &model, Generation generation, std::string_view idPrefix);
  void addChoice(schedule::Request request, OutputParser parser);

  virtual std::string_view wholeName() const = 0; // "object" of a whole reply
  virtual std::string_view chunkName() const = 0; // and of a chunk
  /// What comes before the first delta: a list of choice objects, each its own chunk.
  virtual std::vector<boost::json::object> openingChoices(const Choice &choice) = 0;
  virtual boost::json::object deltaChoice(const Choice &choice, const Delta &delta) = 0;
  virtual boost::json::object finishChoice(const Choice &choice) = 0;
  virtual boost::json::object wholeChoice(const Choice &choice) const = 0;

  const ServedModel &model;
  const Generation generation;

private:
  boost::json::object frame(std::string_view object, boost::json::array choiceList) const;
  /// `choice` with the ids of `delta`, where the client asked for them.
  boost::json::object withTokenIds(boost::json::object choice, const Delta &delta) const;
  std::string chunk(boost::json::object choice, const Choice *finished = nullptr) const;
  boost::json::object usage() const;

  const std::string id;
  const int64_t created;
  std::vector<Choice> choices;
  std::vector<schedule::Request> requests;
};

/// llama.cpp's timings object.
boost::json::object timings(const schedule::Account &account);

} // namespace kimi::api
