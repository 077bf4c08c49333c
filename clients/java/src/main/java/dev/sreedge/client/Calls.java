package dev.sreedge.client;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.sreedge.v1.ChaosServiceGrpc;
import dev.sreedge.v1.IncidentServiceGrpc;
import dev.sreedge.v1.PredictionServiceGrpc;
import dev.sreedge.v1.SimulationServiceGrpc;
import dev.sreedge.v1.SystemServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.BufferedReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Calls by name, with requests and answers in JSON: what the contract tests run. */
final class Calls {
  private static final Gson GSON = new Gson();
  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().preservingProtoFieldNames().omittingInsignificantWhitespace();

  /**
   * A call to make, such as {"call": "sre_edge.v1.ChaosService/InjectChaos", "request": {…}}.
   *
   * @param messages of a stream, then it is cancelled
   */
  private record Order(String call, JsonElement request, int messages) {}

  private final Connection connection;
  private final Channel channel;

  Calls(Connection connection, Channel channel) {
    this.connection = connection;
    this.channel = channel;
  }

  /** Makes the calls that it reads, one JSON each line, and writes an outcome for each. */
  void answer(BufferedReader orders) throws IOException {
    for (var line = orders.readLine(); line != null; line = orders.readLine()) {
      var order = GSON.fromJson(line, Order.class);
      Object outcome;
      try {
        outcome = Map.of("answers", call(order));
      } catch (StatusRuntimeException error) {
        outcome = Failure.of(error);
      }
      System.out.println(GSON.toJson(outcome));
    }
  }

  private List<JsonElement> call(Order order) throws InvalidProtocolBufferException {
    var method = find(order.call());
    var prototype =
        (Message) ((PrototypeMarshaller<?>) method.getRequestMarshaller()).getMessagePrototype();
    var request = prototype.newBuilderForType();
    JsonFormat.parser().merge(order.request().toString(), request);
    var options = CallOptions.DEFAULT.withDeadlineAfter(Connection.DEADLINE_S, TimeUnit.SECONDS);
    if (connection.tokenFile != null) {
      options = options.withCallCredentials(connection.token());
    }
    var answers = new ArrayList<JsonElement>();
    try (var context = Context.current().withCancellation()) {
      var outer = context.attach();
      try {
        var messages =
            ClientCalls.blockingServerStreamingCall(channel, method, options, request.build());
        while (answers.size() < Math.max(1, order.messages()) && messages.hasNext()) {
          answers.add(JsonParser.parseString(PRINTER.print(messages.next())));
        }
      } finally {
        context.detach(outer);
      }
    }
    return answers;
  }

  @SuppressWarnings("unchecked") // the generated stubs have messages only
  private static MethodDescriptor<Message, Message> find(String path) {
    return Stream.of(
            SimulationServiceGrpc.getServiceDescriptor(),
            ChaosServiceGrpc.getServiceDescriptor(),
            IncidentServiceGrpc.getServiceDescriptor(),
            PredictionServiceGrpc.getServiceDescriptor(),
            SystemServiceGrpc.getServiceDescriptor())
        .flatMap(service -> service.getMethods().stream())
        .filter(method -> method.getFullMethodName().equals(path))
        .map(method -> (MethodDescriptor<Message, Message>) method)
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no call is named " + path));
  }
}
