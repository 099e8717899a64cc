Feature: Answering while a model server fails
  Somebody answers still, and says who could not; no reader is shown two answers.

  Scenario: Quotations answer while the only model is down
    Given a language model behind the service
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I ask "How fast are refunds paid?"
    Then the answer was made by the generator "openai"
    And the answer says what its tokens cost
    When the model server goes down
    And I ask "When are refunds paid?"
    Then the answer says "7 days"
    And the answer was made by the generator "extractive"
    And the answer was given without "generator:default:unavailable"
    When I ask "When are refunds paid?" as a stream, by the field stream
    Then the answer was made by the generator "extractive"
    And the tokens together are the answer
    And the service lacks "generator" after a few questions
    When the model server is up again
    Then the model answers again by itself, and the service lacks nothing

  Scenario: Another model answers first
    Given a language model behind the service that falls back to another
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When the model server goes down
    And I ask "When are refunds paid?"
    Then the answer says "the other model"
    And the answer was made by the generator "vllm"
    And the answer was given without "generator:default:unavailable"

  Scenario: An answer that breaks off ends with an error, and no other begins
    Given a language model behind the service
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When the model breaks off after its first words
    And I ask "When are refunds paid?" as a stream, by the field stream
    Then the events are sources, the first words, and an error with the code "unavailable"

  Scenario Outline: A model with too much to do refuses before anything is shown
    Given a language model behind the service that answers one at a time, with no last resort
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When somebody else is being answered
    And I ask "<question>" <how>
    Then it is refused with 429 and the code "exhausted"
    And it says when to try again

    Examples:
      | question               | how                              |
      | When are refunds paid? | at once                          |
      | When are refunds paid? | as a stream, by the field stream |

  Scenario Outline: An answer that a model did not end by itself says so, in every shape
    Given a language model behind the service
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When the model's answers end by "<reason>"
    And I ask "When are refunds paid?"
    Then the answer ended by "<reason>"
    And the answer was given without "<lack>"
    When I ask "When are refunds paid?" as a stream, by the field stream
    Then the answer ended by "<reason>"
    And a completion ends by "<reason>", and so does its stream

    Examples:
      | reason         | lack             |
      | length         | answer_cut_short |
      | content_filter | answer_filtered  |
