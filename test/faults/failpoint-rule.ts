import { writeSync } from 'node:fs'
import type { Failpoint } from '../../src/core/failpoint.ts'
import { onFailpoint } from '../../src/core/failpoint.ts'

/** What a process does to itself when it reaches a failpoint for the n-th time. */
export interface FailpointRule {
  readonly failpoint: Failpoint
  readonly reach: number
  /** Die by SIGKILL, or stand still with everything held: milliseconds. */
  readonly act: 'kill' | number
}

/** Has this process obey a rule, once. It says so on its standard output before it does. */
export function obeyRule(rule: FailpointRule): void {
  let reached = 0
  onFailpoint((failpoint) => {
    if (failpoint !== rule.failpoint) return
    reached += 1
    if (reached !== rule.reach) return
    const act = rule.act === 'kill' ? 'kill' : 'stall'
    writeSync(1, `failpoint ${failpoint} ${act}\n`)
    if (rule.act === 'kill') process.kill(process.pid, 'SIGKILL')
    // Also keeps a process that is being killed from going on.
    Atomics.wait(
      new Int32Array(new SharedArrayBuffer(4)),
      0,
      0,
      rule.act === 'kill' ? 10_000 : rule.act,
    )
  })
}
