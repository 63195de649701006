import { main } from '../harness/main.ts'
import { controls } from './controls.ts'
import { runBank } from './run.ts'

process.exitCode = await main(
  {
    name: 'bank',
    description: 'Runs a bank while its workers are killed at random, and checks its books.',
    clients: 50,
    controls: controls,
  },
  runBank,
)
