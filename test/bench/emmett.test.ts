import { expect, test } from 'vitest'
import { createAppendEmmettBenchmark } from '../../bench/append-emmett.ts'
import { importPeer } from '../../bench/peers/import-peer.ts'
import { createProjectionEmmettBenchmark } from '../../bench/projection-emmett.ts'

test('imports no peer that is not installed in its folder, even if tidemark itself has it', async () => {
  expect(await importPeer('no-such-package')).toBeNull()
  expect(await importPeer('vitest')).toBeNull()
})

test.for([
  ['append/emmett', createAppendEmmettBenchmark],
  ['projection/emmett', createProjectionEmmettBenchmark],
] as const)(
  '%s measures nothing without Emmett, and says in one line how to install it',
  async ([name, create]) => {
    const said: string[] = []
    const measurements = await create(async () => null).run({
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
      `${name}: skipped, @event-driven-io/emmett-postgresql is not installed: ` +
        'npm ci --prefix bench/peers',
    ])
  },
)
