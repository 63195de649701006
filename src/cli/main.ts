#!/usr/bin/env node
import './require-node.ts'
import { processHost } from './host.ts'
import { keepHeapSmall } from './keep-heap-small.ts'
import { reportError } from './report-error.ts'
import { run } from './run.ts'

keepHeapSmall()
const argv = process.argv.slice(2)
const host = processHost()

// Whatever a config file or a handler throws outside of any call.
process.on('uncaughtException', (error) => {
  void host.exit(reportError(error, argv, host))
})
await host.exit(await run(argv, host))
