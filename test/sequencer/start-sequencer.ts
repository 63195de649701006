import { pause } from '../../src/db/wait.ts'
import { runSequencer, type SequencerOptions } from '../../src/sequencer/sequencer.ts'
import type { SequencerRole } from '../../src/sequencer/term-settings.ts'
import { until } from '../support/until.ts'
import { type Background, inBackground } from './background.ts'
import { type CapturedLog, captureLog } from './captured-log.ts'

export interface StartedSequencer extends Background {
  readonly log: CapturedLog
  /** Roles in the order in which they were taken. */
  readonly roles: readonly SequencerRole[]
  readonly leads: boolean
  untilLeading(): Promise<void>
}

/** Runs a sequencer in this process until it is stopped. */
export function startSequencer(options: SequencerOptions): StartedSequencer {
  const log = captureLog()
  const roles: SequencerRole[] = []
  const background = inBackground((signal) =>
    runSequencer(
      {
        untilLeaderless: (ended) => pause(20, ended),
        logger: log,
        ...options,
        onRole: (role) => {
          roles.push(role)
          options.onRole?.(role)
        },
      },
      signal,
    ),
  )
  return {
    ...background,
    log,
    roles,
    get leads() {
      return roles.at(-1) === 'leader'
    },
    untilLeading: () =>
      until('the sequencer to lead', (saw) => {
        saw(log.lines)
        return roles.at(-1) === 'leader' || undefined
      }).then(() => {}),
  }
}
