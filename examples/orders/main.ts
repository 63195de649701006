import { main } from '../harness/main.ts'
import { controls } from './controls.ts'
import { runOrders } from './run.ts'

process.exitCode = await main(
  {
    name: 'orders',
    description: 'Runs a shop while its workers are killed at random, and checks every order.',
    clients: 20,
    controls,
  },
  runOrders,
)
