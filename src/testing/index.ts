export { type Given, given, type When } from './given.ts'
export {
  clock,
  type GivenProcess,
  outcome,
  type ProcessOccurrence,
  type WhenProcess,
} from './given-process.ts'
