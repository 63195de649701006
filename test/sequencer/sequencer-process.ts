// A sequencer in a process of its own. Writes each role that it takes as a line, and its log to stderr.
import { runSequencer } from '../../src/sequencer/sequencer.ts'

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
const log = (_: object, message: string) => process.stderr.write(`${message}\n`)
await runSequencer(
  {
    connectionString: process.env.DATABASE_URL ?? '',
    logger: { debug: () => {}, info: log, warn: log, error: log },
    onRole: (role) => process.stdout.write(`${role}\n`),
  },
  stop.signal,
)
