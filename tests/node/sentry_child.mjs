// A small application that uses the real Sentry SDK for Node.js: `node sentry_child.mjs DSN WHAT [OPTIONS AS JSON]`.

import http from "node:http";
import * as Sentry from "@sentry/node";

const [dsn, what, options] = process.argv.slice(2);

Sentry.init({ dsn, release: "shop@1.2.3", environment: "prod", ...JSON.parse(options ?? "{}") });

// Fail as applications do: one error out of another.
function checkout(prices) {
  try {
    return prices.sku.cents;
  } catch (error) {
    throw new RangeError("no such article", { cause: error });
  }
}

const programs = {
  // Report an error and a message by hand.
  plain() {
    Sentry.setUser({ id: "7" });
    Sentry.setTag("team", "payments");
    try {
      checkout({});
    } catch (error) {
      Sentry.captureException(error);
    }
    Sentry.captureMessage("Cache is cold", "warning");
  },

  // Die of an error that nobody handles.
  crash() {
    setTimeout(() => checkout({}), 1);
    return new Promise(() => {});
  },

  // Lose a promise.
  rejection() {
    Promise.reject(new RangeError("no such article"));
    return new Promise((resolve) => setTimeout(resolve, 50));
  },

  // Serve a request that fails.
  async served() {
    const server = http.createServer((request, response) => {
      try {
        checkout({});
      } catch (error) {
        Sentry.captureException(error);
      }
      response.end();
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    await fetch(`http://127.0.0.1:${server.address().port}/pay/17?card=4111-1111-1111`, { headers: { cookie: "card=4111-1111-1111" } });
    server.close();
  },

  // Run a monitored job.
  job() {
    Sentry.withMonitor("nightly", () => {}, { schedule: { type: "crontab", value: "0 3 * * *" } });
  },

  // Say what a user said.
  feedback() {
    Sentry.captureFeedback({ message: "The cart is empty", name: "Ann", email: "ann@example.com" });
  },

  // Send what is not kept: a transaction, a log line, an attachment.
  telemetry() {
    Sentry.startSpan({ name: "t", op: "test" }, () => {});
    Sentry.logger.info("hello");
    Sentry.withScope((scope) => {
      scope.addAttachment({ filename: "dump.bin", data: new Uint8Array(100_000) });
      Sentry.captureMessage("x");
    });
  },

  // Say three things, waiting each time until it is sent.
  async chatter() {
    for (const word of ["one", "two", "three"]) {
      Sentry.captureMessage(word);
      await Sentry.flush(10_000);
    }
  },
};

await programs[what]();
await Sentry.close(10_000);
