import { mergeMessages } from './merge_messages'

export default mergeMessages(
  import.meta.glob(['/src/app/messages/zh.json', '/src/ui/messages/zh.json', '/src/features/*/messages/zh.json'], {
    eager: true,
    import: 'default',
  }),
)
