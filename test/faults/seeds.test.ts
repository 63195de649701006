import { expect, test } from 'vitest'
import { seededRandom } from '../support/random.ts'
import { drawRule, onTheWay, type Task } from './draw-rule.ts'
import { usualSettings } from './run-settings.ts'
import { pickWeighted } from './weighted.ts'
import { drawWorkerPlan } from './worker-plan.ts'

function plans(seed: number) {
  const random = seededRandom(seed)
  return Array.from({ length: 200 }, () => drawWorkerPlan(random, usualSettings))
}

test('a seed gives the same workers again, another seed others', () => {
  expect(plans(1)).toEqual(plans(1))
  expect(plans(1)).not.toEqual(plans(2))
})

test('workers meet every mode and failpoint, some lead unasked, some meet nothing', () => {
  const drawn = plans(1)
  expect(new Set(drawn.map(({ mode }) => mode))).toEqual(new Set(['auto', 'wal', 'poll']))
  expect(new Set(drawn.map(({ rule }) => rule?.failpoint))).toEqual(
    new Set([...onTheWay.work, undefined]),
  )
  expect(new Set(drawn.map(({ hasDefect }) => hasDefect))).toEqual(new Set([true, false]))
  const intruders = drawn.filter(({ mutations }) => mutations.includes('no-leader-lock'))
  expect(intruders.length).toBeGreaterThan(5)
  expect(new Set(drawn.map(({ waitsForStandby }) => waitsForStandby))).toEqual(
    new Set([true, false]),
  )
})

/** The suite runs no process managers, and parks no messages: other tests kill at these. */
const elsewhere = ['process-acted', 'process-outcome-recorded', 'retried-confirmed']

test('each failpoint has a weight, and processes that come to it', () => {
  const { none: _none, ...weights } = usualSettings.failpoints
  const weightless = Object.entries(weights).filter(([, weight]) => weight === 0)
  expect(weightless.map(([name]) => name)).toEqual(elsewhere)
  const here = Object.keys(weights).filter((name) => !elsewhere.includes(name))
  expect(new Set(Object.values(onTheWay).flat())).toEqual(new Set(here))
})

test.for(Object.keys(onTheWay) as Task[])(
  'a process hurts itself only where it comes to: %s',
  (task) => {
    const random = seededRandom(1)
    const drawn = Array.from({ length: 200 }, () =>
      drawRule(random, usualSettings.failpoints, task),
    )
    const failpoints = new Set(drawn.map((rule) => rule?.failpoint))
    expect(failpoints).toEqual(new Set([...onTheWay[task], undefined]))
  },
)

test('what has no weight is never chosen, the rest as often as it weighs', () => {
  const random = seededRandom(1)
  const drawn = Array.from({ length: 4_000 }, () =>
    pickWeighted(random, { never: 0, once: 1, thrice: 3, neither: 0 }),
  )
  const share = drawn.filter((name) => name === 'once').length / drawn.length
  expect(new Set(drawn)).toEqual(new Set(['once', 'thrice']))
  expect(share).toBeGreaterThan(0.22)
  expect(share).toBeLessThan(0.28)
})
