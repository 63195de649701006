import { expect, test } from 'vitest'
import { createProjectionEmmettBenchmark } from '../../bench/projection-emmett.ts'

test('measures no projection without Emmett, and says in one line how to install it', async () => {
  const said: string[] = []
  const measurements = await createProjectionEmmettBenchmark(async () => null).run({
    serverUrl: 'postgres://nobody@127.0.0.1:1/none',
    seconds: 1,
    runs: 1,
    events: 1,
    taggedEvents: 1,
    largeEvents: 1,
    signal: new AbortController().signal,
    say: (text) => said.push(text),
  })
  expect(measurements).toEqual([])
  expect(said).toEqual([
    'projection/emmett: skipped, @event-driven-io/emmett-postgresql is not installed: ' +
      'npm ci --prefix bench/peers',
  ])
})
