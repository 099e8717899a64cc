Feature: Choosing who answers
  A question may name one of the models that its workspace allows; and what is done around an
  answer, rewriting and judging, may be other models' work.

  Background:
    Given a large and a small language model behind the service

  Scenario: The workspace's own model answers, or the one that is named
    Given a workspace that allows the small model, with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I ask "When are refunds paid?"
    Then the answer says "says the large one"
    And the answer was made by the model "default", which the server calls "large-1"
    When I ask "When are refunds paid?" of the model "small"
    Then the answer says "says the small one"
    And the answer was made anew
    And the answer was made by the model "small", which the server calls "small-1"
    When I ask "When are refunds paid?" of the model "small"
    Then the answer came from the cache
    And the answer says "says the small one"
    When I ask "When are refunds paid?" of the model "default"
    Then the answer came from the cache
    And the answer says "says the large one"

  Scenario Outline: A model that the workspace does not allow is not there
    Given a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I ask "When are refunds paid?" of the model "<model>"
    Then it is refused with 404 and the code "unknown_model"
    And the reason mentions "there are 'default'"
    And nothing of the program's inside is shown

    Examples:
      | model |
      | small |
      | huge  |

  Scenario: A client of OpenAI's API chooses by the name of the model
    Given a workspace that allows the small model, with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When a client of OpenAI's API lists the models
    Then the workspace is listed alone, with "default" and with "small"
    When a client of OpenAI's API asks the workspace's "small" "When are refunds paid?"
    Then its completion says "says the small one"
    When a client of OpenAI's API asks the workspace's "huge" "When are refunds paid?"
    Then it is refused as OpenAI would with 404 and the code "model_not_found"

  Scenario: A small model makes follow-ups whole, and the large one answers
    Given a workspace whose questions the small model rewrites, with these documents
      | source_id            | text                                                |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.         |
      | policies/limits.txt  | The head of finance approves refunds above 500 EUR. |
    When I ask "How fast are refunds paid?" and then "Who approves them?"
    Then the answer says "says the large one"
    And the small model has made the question whole, and imagined an answer to each
    And the large model has answered twice, and done nothing else
    And the metrics tell what answering and rewriting took

  Scenario: Several models must agree that a sentence is supported
    Given a workspace whose answers both models judge, with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I ask "When are refunds paid?"
    Then the answer says "says the large one"
    And its only sentence is supported with 0.8
    When the small model does not think that it is supported
    And I ask "When are refunds paid, please?"
    Then the answer is that the documents do not say
    And its only sentence was withheld
