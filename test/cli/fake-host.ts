import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import type { Host } from '../../src/cli/host.ts'
import { StopSignals } from '../../src/cli/stop-signals.ts'

export interface FakeHost {
  readonly host: Host
  /** What was written since the last look. */
  readonly stdout: () => string
  readonly stderr: () => string
}

/** A command line without a process: output is kept, no signal ever comes. */
export function fakeHost(cwd: string, env: Host['env'] = {}): FakeHost {
  const [stdout, stderr] = [
    new PassThrough({ encoding: 'utf8' }),
    new PassThrough({ encoding: 'utf8' }),
  ]
  const host: Host = {
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
    env,
    cwd,
    stopSignals: new StopSignals(new EventEmitter(), () => {}),
  }
  return {
    host,
    stdout: () => (stdout.read() as string | null) ?? '',
    stderr: () => (stderr.read() as string | null) ?? '',
  }
}
