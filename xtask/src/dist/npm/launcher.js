#!/usr/bin/env node
// Starts the program @PROGRAM@, which lies in the package of this platform: npm installs that one as an optional dependency.
"use strict";

const { spawn } = require("node:child_process");

const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"];

function packages() {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform !== "linux") {
    return [`@PACKAGE@-${platform}`];
  }
  const isGlibc = Boolean(process.report?.getReport()?.header?.glibcVersionRuntime);
  // The program of the second needs no library, so it runs with every C library.
  const names = [`@PACKAGE@-${platform}`, `@PACKAGE@-${platform}-musl`];
  return isGlibc ? names : names.slice(1);
}

function find() {
  const file = process.platform === "win32" ? "@PROGRAM@.exe" : "@PROGRAM@";
  for (const name of packages()) {
    try {
      return require.resolve(`${name}/bin/${file}`);
    } catch {
      // The next one.
    }
  }
  console.error(
    `@PACKAGE@: the package ${packages().join(" or ")} is not installed. ` +
      "Install again without `--omit=optional`; if there is no such package for this machine, build the program from source.",
  );
  process.exit(1);
}

const child = spawn(find(), process.argv.slice(2), { stdio: "inherit", windowsHide: true });
for (const signal of SIGNALS) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`@PACKAGE@: cannot start the program: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal) {
    SIGNALS.forEach((name) => process.removeAllListeners(name));
    process.kill(process.pid, signal);
  } else {
    process.exit(code ?? 1);
  }
});
